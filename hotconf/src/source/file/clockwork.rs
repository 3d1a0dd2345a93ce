//! Tests of [`File`](super::File) over a real directory, with a clock that is turned by hand.

use super::File;
use super::fake::{Bell, Fake, TempDir, context};
use crate::source::{Content, Context, Hint, Services, Source, SourceError, Update, WatchFailure};
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};
use std::time::{Duration, SystemTime};

/// A followed file, its clock, and what was warned of.
struct Desk {
    dir: TempDir,
    path: PathBuf,
    fake: Arc<Fake>,
    cx: Context,
    warnings: Arc<Mutex<Vec<String>>>,
    file: File,
}

impl Desk {
    fn new(content: &str) -> Self {
        let dir = TempDir::new();
        let path = dir.path().join("f.toml");
        let fake = Fake::new();
        let (cx, warnings) = context(Arc::new(fake.clone()), Duration::from_secs(2));
        let desk = Self { file: File::new(&path), dir, path, fake, cx, warnings };
        desk.write(content);
        desk
    }

    /// Writes long ago: the wall clock stands still here, and what is written is not fresh.
    fn write(&self, content: &str) {
        std::fs::write(&self.path, content).unwrap();
        let file = std::fs::File::options().write(true).open(&self.path).unwrap();
        file.set_modified(SystemTime::now() - Duration::from_secs(60)).unwrap();
    }

    fn hint(&self, hint: fn(PathBuf) -> Hint) {
        let inboxes = self.fake.inboxes.lock().unwrap();
        let (_, inbox) = inboxes.last().expect("something is watched");
        inbox.push(Services::now(&self.fake), hint(self.path.clone()));
    }

    /// Polls a new future of `next` once, and drops it.
    fn glance(&mut self) -> Option<Result<Update, SourceError>> {
        let waker = Waker::from(Arc::new(Bell::default()));
        match self.file.next(&self.cx).as_mut().poll(&mut std::task::Context::from_waker(&waker)) {
            Poll::Ready(answer) => Some(answer),
            Poll::Pending => None,
        }
    }

    fn text(&mut self) -> Option<String> {
        self.glance().map(|answer| match answer {
            Ok(Update { content: Content::Documents(docs), .. }) => docs[0].doc.text().to_owned(),
            Ok(_) => "absent".to_owned(),
            Err(error) => error.to_string(),
        })
    }

    fn turn(&self, ms: u64) {
        self.fake.turn(Duration::from_millis(ms));
    }
}

#[test]
fn a_future_that_is_dropped_at_every_step_loses_no_change() {
    let mut desk = Desk::new("v = 1");
    assert_eq!(desk.text().unwrap(), "v = 1");
    desk.write("v = 2");
    desk.hint(Hint::Writing);
    assert_eq!(desk.text(), None);
    desk.hint(Hint::Closed);
    for _ in 0..19 {
        assert_eq!(desk.text(), None);
        desk.turn(1);
    }
    desk.turn(1);
    assert_eq!(desk.text().unwrap(), "v = 2");
    assert_eq!(desk.text(), None);
}

#[test]
fn what_no_event_told_of_is_found_by_the_poll_and_confirmed() {
    let mut desk = Desk::new("v = 1");
    desk.text();
    desk.write("v = 2");
    assert_eq!(desk.text(), None);
    desk.turn(2000);
    assert_eq!(desk.text(), None, "one look is no proof");
    desk.turn(100);
    assert_eq!(desk.text().unwrap(), "v = 2");
}

#[test]
fn a_broken_file_put_back_to_its_old_bytes_is_told_as_healthy() {
    let mut desk = Desk::new("v = 1");
    desk.text();
    desk.write("v = = 1");
    desk.hint(Hint::Moved);
    assert!(desk.text().unwrap().contains("f.toml:1:"));
    desk.hint(Hint::Touched);
    desk.turn(50);
    assert_eq!(desk.text(), None, "the same trouble is told once");
    desk.write("v = 1");
    desk.hint(Hint::Moved);
    assert_eq!(desk.text().unwrap(), "v = 1");
}

#[test]
fn a_refresh_is_answered_at_once_even_with_the_same() {
    let mut desk = Desk::new("v = 1");
    desk.text();
    desk.file.refresh();
    assert_eq!(desk.text().unwrap(), "v = 1");
    assert_eq!(desk.text(), None);
}

#[test]
fn an_empty_file_is_a_document_at_the_start_and_a_loss_later() {
    let mut desk = Desk::new("");
    assert_eq!(desk.text().unwrap(), "");
    desk.write("v = 1");
    desk.hint(Hint::Moved);
    assert_eq!(desk.text().unwrap(), "v = 1");
    desk.write(" \n");
    desk.hint(Hint::Moved);
    assert_eq!(desk.text(), None);
    desk.turn(950);
    let error = desk.glance().unwrap().unwrap_err();
    assert!(error.is_absent() && error.to_string().contains("is empty"));
}

#[test]
fn a_watch_that_fails_is_said_and_tried_again_at_each_poll() {
    let mut desk = Desk::new("v = 1");
    let reason = "raise the sysctl".to_owned();
    *desk.fake.failing.lock().unwrap() = Some(WatchFailure { path: desk.dir.path().to_owned(), reason });
    desk.text();
    assert!(
        desk.warnings.lock().unwrap()[0]
            .contains("raise the sysctl; changes are found by reading it every 2s")
    );
    desk.text();
    let before = desk.fake.inboxes.lock().unwrap().len();
    assert_eq!(desk.cx.activity().remarks.all().len(), 1, "it stands for as long as the watch is not set");
    *desk.fake.failing.lock().unwrap() = None;
    desk.turn(2000);
    desk.text();
    assert_eq!(desk.fake.inboxes.lock().unwrap().len(), before + 1);
    assert!(desk.cx.activity().remarks.all().is_empty(), "it is set now");
    desk.turn(2000);
    desk.text();
    assert_eq!(desk.fake.inboxes.lock().unwrap().len(), before + 1, "it is set now");
}

#[test]
fn a_file_that_stirs_is_waited_for_and_one_that_is_gone_is_not() {
    let mut desk = Desk::new("v = 1");
    desk.text();
    desk.hint(Hint::Writing);
    desk.text();
    assert_eq!(desk.cx.group().stirring(), 1);
    std::fs::remove_file(&desk.path).unwrap();
    desk.hint(Hint::Gone);
    desk.turn(20);
    desk.text();
    assert_eq!(desk.cx.group().stirring(), 0);
}

#[test]
fn hints_of_other_files_wake_nobody() {
    let mut desk = Desk::new("v = 1");
    desk.text();
    let inbox = desk.fake.inboxes.lock().unwrap().last().unwrap().1.clone();
    inbox.push(Services::now(&desk.fake), Hint::Closed(desk.dir.path().join("other.log")));
    assert!(inbox.drain().is_empty());
}

#[test]
fn a_quiet_file_is_read_ever_more_seldom_and_one_that_changed_as_often_as_before() {
    let mut desk = Desk::new("v = 1");
    desk.text();
    // The beats at which the file was read, counted from the last change.
    let reads = |desk: &mut Desk| {
        let mut beats = Vec::new();
        assert_eq!(desk.text(), None);
        for beat in 1..=112 {
            let before = desk.cx.activity().reads.load(Ordering::Relaxed);
            desk.turn(2000);
            assert_eq!(desk.text(), None);
            if desk.cx.activity().reads.load(Ordering::Relaxed) > before {
                beats.push(beat);
            }
        }
        beats
    };
    assert_eq!(reads(&mut desk), [16, 48, 112]);
    desk.write("v = 2");
    desk.hint(Hint::Closed);
    desk.text();
    desk.turn(20);
    assert_eq!(desk.text().unwrap(), "v = 2");
    assert_eq!(reads(&mut desk), [16, 48, 112]);
}
