//! Threads, tasks, or neither: the same configuration in every surrounding.

use crate::support::{Dir, Pair, pair, replace};
use hotconf::{Event, File, Format, Hot, Inline};
use std::time::Duration;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_multi_threaded_runtime_awaits_changes() {
    let dir = Dir::new();
    let path = dir.file("app.toml", &pair(1));
    let config: Hot<Pair> = Hot::builder().source(File::new(&path)).start().await.expect("loaded");
    let mut watch = config.watch(Pair::FIELDS.a);
    replace(&path, &pair(2));
    assert_eq!(watch.next().await, Some(2));
    replace(&path, &pair(3));
    assert_eq!(watch.next().await, Some(3));
    config.shutdown(Duration::from_secs(5)).await.expect("calm");
    assert_eq!(watch.next().await, None);
}

#[tokio::test(flavor = "current_thread")]
async fn a_current_thread_runtime_awaits_changes() {
    let dir = Dir::new();
    let path = dir.file("app.toml", &pair(1));
    let config: Hot<Pair> = Hot::builder().source(File::new(&path)).start().await.expect("loaded");
    let mut watch = config.watch(Pair::FIELDS.a);
    replace(&path, &pair(2));
    assert_eq!(watch.next().await, Some(2));
    config.shutdown(Duration::from_secs(5)).await.expect("calm");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn blocking_inside_a_task_is_an_error_and_inside_spawn_blocking_it_works() {
    let dir = Dir::new();
    let path = dir.file("app.toml", &pair(1));
    let make = || Hot::<Pair>::builder().source(File::new(&path));
    assert!(make().blocking_start().expect_err("in a task").is_usage());
    let config = make().start().await.expect("loaded");
    assert!(config.blocking_reload().expect_err("in a task").is_usage());
    assert!(config.watch(Pair::FIELDS.a).blocking_next().expect_err("in a task").is_usage());
    let other = config.clone();
    let version = tokio::task::spawn_blocking(move || other.blocking_reload()).await.expect("joined");
    assert_eq!(version.expect("good"), 1);
}

/// The next item of a `Stream`, by its own `poll_next`.
async fn streamed<S: futures_core::Stream + Unpin>(stream: &mut S) -> Option<S::Item> {
    std::future::poll_fn(|cx| std::pin::Pin::new(&mut *stream).poll_next(cx)).await
}

#[tokio::test(flavor = "current_thread")]
async fn a_watch_is_a_stream_that_ends_with_the_configuration() {
    let (source, text) = Inline::channel("app", Format::Toml, pair(1));
    let config: Hot<Pair> = Hot::builder().source(source).start().await.expect("loaded");
    let mut watch = config.watch(Pair::FIELDS.a);
    text.set(pair(2));
    assert_eq!(streamed(&mut watch).await, Some(2));
    text.set(pair(3));
    assert_eq!(streamed(&mut watch).await, Some(3));
    config.shutdown(Duration::from_secs(5)).await.expect("calm");
    assert_eq!(streamed(&mut watch).await, None);
}

#[tokio::test(flavor = "current_thread")]
async fn events_are_a_stream_that_ends_with_the_configuration() {
    let (source, text) = Inline::channel("app", Format::Toml, pair(1));
    let config: Hot<Pair> = Hot::builder().source(source).start().await.expect("loaded");
    let mut events = config.events();
    text.set(pair(2));
    assert!(matches!(streamed(&mut events).await, Some(Event::Applied(applied)) if applied.version() == 2));
    text.set("a = no");
    assert!(matches!(streamed(&mut events).await, Some(Event::Rejected(_))));
    config.shutdown(Duration::from_secs(5)).await.expect("calm");
    assert!(streamed(&mut events).await.is_none());
}

#[test]
fn a_runtime_that_goes_away_takes_nothing_with_it() {
    let dir = Dir::new();
    let path = dir.file("app.toml", &pair(1));
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let config: Hot<Pair> =
        runtime.block_on(Hot::builder().source(File::new(&path)).start()).expect("loaded");
    drop(runtime);
    let mut watch = config.watch(Pair::FIELDS.a);
    replace(&path, &pair(2));
    assert_eq!(watch.blocking_next().expect("outside of async code"), Some(2));
}

#[tokio::test]
async fn a_start_that_is_dropped_leaves_nothing_running() {
    let dir = Dir::new();
    let path = dir.file("app.toml", &pair(1));
    for _ in 0..20 {
        let start = Hot::<Pair>::builder().source(File::new(&path)).start();
        // Polled once, then dropped.
        let _ = tokio::time::timeout(Duration::ZERO, start).await;
    }
    let config: Hot<Pair> = Hot::builder().source(File::new(&path)).start().await.expect("loaded");
    config.shutdown(Duration::from_secs(5)).await.expect("calm");
}
