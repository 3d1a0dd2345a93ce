//! Brings a configuration to life on the engine, and to its end: every source and its driver.
//!
//! The first load is in [`first`](super::first).

use super::Engine;
use super::driver::{Inlets, Outlets, Reply};
use super::first::first_load;
use super::named::{self, Files, Start, Tasks};
use super::plan::{Handle, Plan};
use super::pull::pull;
use super::reloads::Reloads;
use super::remote::Remote;
use super::teller::Teller;
use crate::error::Error;
use crate::format::Limits;
use crate::grey::Instance;
use crate::layer::Policy;
use crate::load::HotConf;
use crate::observe::{Board, Bus, Listener};
use crate::source::{Activity, Context, Group, Source};
use crate::subscribe::{Topic, contained};
use crate::sync::lock;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

/// How a configuration was set up.
pub(crate) struct Setup {
    pub(crate) name: Arc<str>,
    pub(crate) sources: Vec<Box<dyn Source>>,
    pub(crate) policy: Policy,
    pub(crate) here: Instance,
    pub(crate) startup: Duration,
    pub(crate) poll: Duration,
    pub(crate) limits: Limits,
    pub(crate) events: usize,
    pub(crate) listeners: Vec<Arc<Listener>>,
    pub(crate) token: CancellationToken,
}

/// A configuration that runs.
pub(crate) struct Started<T> {
    pub(crate) topic: Arc<Topic<T>>,
    pub(crate) remote: Remote,
}

/// Starts a configuration on the engine. Dropping the future gives the start up.
pub(crate) async fn launch<T: HotConf>(setup: Setup) -> Result<Started<T>, Error> {
    let engine = Engine::shared()?;
    let token = setup.token.clone();
    // Until the start is through, dropping this future must leave nothing behind.
    let giving_up = token.clone().drop_guard();
    let reloads = Arc::new(Reloads::default());
    let ended = CancellationToken::new();
    let (reply, started) = oneshot::channel();
    let (mut names, mut activities): (Vec<Arc<str>>, Vec<Arc<Activity>>) =
        setup.sources.iter().enumerate().map(|(n, s)| (name_of(n, &**s), Arc::default())).unzip();
    names.push(Arc::from(named::NAME));
    activities.push(Arc::default());
    let board = Arc::new(Board::new(names.clone(), activities, Instant::now()));
    let bus = Arc::new(Bus::new(setup.events, setup.listeners.clone()));
    let (teller, report) = Teller::new(setup.name.clone(), bus, engine.workers.clone());
    let out = Outlets { board, teller, report };
    let services = Arc::clone(&engine.services);
    let task = live::<T>(setup, names, services, out.clone(), reloads.clone(), reply);
    let done = ended.clone();
    engine.spawn(async move {
        let _done = done.drop_guard();
        task.await;
    });
    let topic = match started.await {
        Ok(Ok(topic)) => topic,
        Ok(Err(error)) => {
            stop(engine, &ended).await;
            return Err(error);
        }
        Err(_) => {
            stop(engine, &ended).await;
            return Err(Error::usage("the start was cancelled"));
        }
    };
    giving_up.disarm();
    Ok(Started { topic, remote: Remote::new((token, ended), reloads, out, engine) })
}

/// After a start that failed: nothing of it is left when the error is returned.
async fn stop(engine: Arc<Engine>, ended: &CancellationToken) {
    ended.cancelled().await;
    if let Some(ending) = Engine::release(engine) {
        ending.wait().await;
    }
}

/// What a source is called; its own code may panic.
fn name_of(number: usize, source: &dyn Source) -> Arc<str> {
    contained(|| Arc::from(&*source.describe())).unwrap_or_else(|_| format!("source {}", number + 1).into())
}

/// The life of a configuration: sources, first load, driver. When it ends, every source is gone, and what they
/// keep is kept.
async fn live<T: HotConf>(
    setup: Setup,
    names: Vec<Arc<str>>,
    services: Arc<super::EngineServices>,
    out: Outlets,
    reloads: Arc<Reloads>,
    reply: Reply<T>,
) {
    let Setup { name, sources, policy, here, startup, poll, limits, token, .. } = setup;
    let group = Group::new();
    let (arrivals_in, arrivals) = mpsc::channel(sources.len().max(1) * 2);
    let (warn, warned) = mpsc::channel(WARNINGS);
    let mut handles = Vec::with_capacity(sources.len());
    let tasks = Tasks::default();
    let context = |index, source_token: &CancellationToken| {
        let warn = warn.clone();
        Context::new(
            services.clone(),
            source_token.clone(),
            group.clone(),
            // The driver reads them one by one and tells each once. It may be gone already, or a source may
            // warn without end: what has no room is lost, and there is enough to see by then.
            Arc::new(move |text| drop(warn.try_send((index, text)))),
            T::SCHEMA,
            poll,
            limits,
        )
        .counting(out.board.activity(index))
    };
    let mut names = names.into_iter();
    for ((index, source), source_name) in sources.into_iter().enumerate().zip(names.by_ref()) {
        let source_token = token.child_token();
        let cx = context(index, &source_token);
        let (orders_in, orders) = mpsc::unbounded_channel();
        let live = contained(|| source.is_live()).unwrap_or(true);
        handles.push(Handle { name: source_name, live, orders: orders_in });
        lock(&tasks).push(tokio::spawn(pull(index, source, cx, arrivals_in.clone(), orders, source_token)));
    }
    let (index, cx) = (handles.len(), context(handles.len(), &token.child_token()));
    let (orders_in, orders) = mpsc::unbounded_channel();
    handles.push(Handle { name: Arc::from(named::NAME), live: true, orders: orders_in.clone() });
    let start = Start { index, cx, arrivals: arrivals_in, orders, tasks: tasks.clone() };
    let files = Files::new(start, orders_in);
    let plan = Plan { name, sources: handles, policy, here: Arc::new(here) };
    let inlets = Inlets { arrivals, reloads, warned, group: group.clone(), early: VecDeque::new() };
    if let Some((driver, first)) = first_load(plan, startup, (inlets, out), files, token.clone(), reply).await
    {
        driver.run(first).await;
    }
    // However it ended: nothing of it goes on.
    token.cancel();
    let tasks = std::mem::take(&mut *lock(&tasks));
    for task in tasks {
        // A panic of a source was told by its task, as the source's end.
        let _ = task.await;
    }
    // What was applied last may not be on disk yet. Whoever waits for this has a grace.
    group.finished().await;
}

/// How many warnings of sources may wait for the driver.
const WARNINGS: usize = 256;
