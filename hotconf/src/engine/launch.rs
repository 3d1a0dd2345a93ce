//! Brings a configuration to life: pulls every source once, loads, and hands over to the driver.

use super::driver::{Driver, Handle, LONG, Offer, Plan, on_worker_if, stack_of, tell};
use super::judge::{self, Base, Refused};
use super::pull::{Answer, Arrival, pull};
use super::remote::Remote;
use super::workers::Workers;
use super::{Engine, OneShot};
use crate::control::Control;
use crate::error::{Error, Problem, ProblemKind};
use crate::layer::{Policy, Stack};
use crate::load::HotConf;
use crate::observe::{Board, Bus, Event, Listener, Warning, trace};
use crate::origin::Origin;
use crate::publish::{Meta, Scope, Snapshot, Version};
use crate::schema::Index;
use crate::source::{Context, Group, Services, Source, Update};
use crate::subscribe::blocking::{self, Wait};
use crate::subscribe::{Hub, Report, Topic, Trouble};
use crate::sync::lock;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant, SystemTime};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

/// How a configuration was set up.
pub(crate) struct Setup {
    pub(crate) name: Arc<str>,
    pub(crate) sources: Vec<Box<dyn Source>>,
    pub(crate) policy: Policy,
    pub(crate) startup: Duration,
    pub(crate) poll: Duration,
    pub(crate) max_bytes: usize,
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
    let (commands_in, commands) = mpsc::unbounded_channel();
    let ended = CancellationToken::new();
    let (reply, started) = oneshot::channel();
    let board = Arc::new(Board::new(
        setup.sources.iter().map(|s| Arc::from(&*s.describe())).collect(),
        Instant::now(),
    ));
    let bus = Arc::new(Bus::new(setup.events, setup.listeners.clone()));
    let task = begin::<T>(
        setup,
        Arc::clone(&engine.services),
        engine.workers.clone(),
        (board.clone(), bus.clone()),
        commands,
        reply,
    );
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
    Ok(Started { topic, remote: Remote::new(token, commands_in, board, bus, ended, engine) })
}

/// After a start that failed: nothing of it is left when the error is returned.
async fn stop(engine: Arc<Engine>, ended: &CancellationToken) {
    ended.cancelled().await;
    if let Some(ending) = Engine::release(engine) {
        ending.wait().await;
    }
}

async fn begin<T: HotConf>(
    setup: Setup,
    services: Arc<super::EngineServices>,
    workers: Arc<Workers>,
    (board, bus): (Arc<Board>, Arc<Bus>),
    commands: mpsc::UnboundedReceiver<super::remote::Command>,
    reply: oneshot::Sender<Result<Arc<Topic<T>>, Error>>,
) {
    let Setup { name, sources, policy, startup, poll, max_bytes, token, .. } = setup;
    let group = Group::new();
    let (arrivals_in, mut arrivals) = mpsc::channel(sources.len().max(1) * 2);
    let (warn, warned) = mpsc::unbounded_channel();
    let mut handles = Vec::with_capacity(sources.len());
    for (index, source) in sources.into_iter().enumerate() {
        let source_token = token.child_token();
        let warn = warn.clone();
        let cx = Context::new(
            services.clone(),
            source_token.clone(),
            group.clone(),
            // The driver reads them one by one and tells each once; it may be gone already.
            Arc::new(move |text| drop(warn.send((index, text)))),
            T::SCHEMA,
            poll,
            max_bytes,
        );
        let (orders_in, orders) = mpsc::unbounded_channel();
        handles.push(Handle {
            name: Arc::from(&*source.describe()),
            live: source.is_live(),
            orders: orders_in,
            gone: false,
        });
        tokio::spawn(pull(index, source, cx, arrivals_in.clone(), orders, source_token));
    }
    drop(arrivals_in);
    let plan = Plan { name, sources: handles, policy };
    let answers = first_answers(&plan.sources, &mut arrivals, startup);
    let Some(answers) = token.run_until_cancelled(answers).await else { return };
    let (offers, problems) = take(answers, &plan.sources, &board);
    let stack = stack_of(&offers, &plan.sources);
    let report = reporter(bus.clone(), workers.clone(), plan.name.clone());
    let judged = judge_first::<T>(stack, policy, &workers, &report);
    let Some(judged) = token.run_until_cancelled(judged).await else { return };
    let candidate = match judged {
        Ok(candidate) if problems.is_empty() => candidate,
        judged => {
            token.cancel();
            drop(reply.send(Err(refuse(&plan.name, problems, judged.err()))));
            return;
        }
    };
    board.decoded.fetch_add(candidate.decoded, std::sync::atomic::Ordering::Relaxed);
    let start = T::SCHEMA.waits().then(|| Arc::new((*candidate.desired).clone()));
    let (running, warnings) = first_snapshot::<T>(candidate);
    let hub = Hub::new(workers.clone(), report.clone(), token.clone());
    let topic = Topic::new(running.clone(), T::SCHEMA.len, hub);
    let base = Arc::new(Base {
        start,
        desired: None,
        tree: running.0.meta.tree.clone(),
        running,
    });
    let driver = Driver::new(
        plan,
        topic.clone(),
        (board, bus, workers),
        (arrivals, commands, warned),
        (group, token, report),
        (base, Control::new(offers)),
    );
    driver.run(warnings, || drop(reply.send(Ok(topic)))).await;
}

/// Loads once on this thread: every source is asked once, nothing is watched.
pub(crate) fn read_once<T: HotConf>(setup: Setup) -> Result<(Snapshot<T>, Vec<Warning>), Error> {
    let services: Arc<dyn Services> = Arc::new(OneShot);
    let group = Group::new();
    let warned: Arc<Mutex<Vec<Warning>>> = Arc::default();
    let (mut stack, mut problems) = (Stack::default(), Vec::new());
    for mut source in setup.sources {
        let name: Arc<str> = Arc::from(&*source.describe());
        let (warned, whose) = (warned.clone(), name.clone());
        let cx = Context::new(
            services.clone(),
            setup.token.clone(),
            group.clone(),
            Arc::new(move |message| {
                let origin = Some(Origin::whole(whose.clone()));
                lock(&warned).push(Warning { path: String::new(), message, origin });
            }),
            T::SCHEMA,
            setup.poll,
            setup.max_bytes,
        );
        let update = match blocking::wait(source.next(&cx), Some(setup.startup)) {
            Wait::Done(Ok(update)) => update,
            Wait::Done(Err(error)) => {
                problems.extend(error.into_problems().into_iter().map(|p| named(p, &name)));
                Update::absent()
            }
            Wait::TimedOut => {
                problems.push(named(late(), &name));
                Update::absent()
            }
        };
        stack.push(name, update.into_docs());
    }
    match (judge::first::<T>(stack, setup.policy), problems.is_empty()) {
        (Ok(candidate), true) => {
            let (snapshot, mut warnings) = first_snapshot::<T>(candidate);
            warnings.append(&mut lock(&warned));
            Ok((snapshot, warnings))
        }
        (judged, _) => Err(refuse(&setup.name, problems, judged.err())),
    }
}

/// Version 1, and the warnings of its load.
pub(super) fn first_snapshot<T: HotConf>(candidate: judge::Candidate<T>) -> (Snapshot<T>, Vec<Warning>) {
    let meta = Arc::new(Meta {
        number: 1,
        at: SystemTime::now(),
        schema: T::SCHEMA,
        index: Arc::new(Index::new(T::SCHEMA)),
        tree: candidate.tree,
        waiting: Vec::new(),
        stack: candidate.stack,
        fingerprint: OnceLock::new(),
    });
    let version = Version { value: *candidate.desired, meta, scope: Scope::default() };
    (Snapshot(Arc::new(version)), candidate.warnings)
}

/// The report of a first load that failed: of the sources, then of what could be loaded all the same.
fn refuse(name: &str, mut problems: Vec<Problem>, refused: Option<Refused>) -> Error {
    // What is missing may be in the very source that failed: to say so would mislead.
    let partial = !problems.is_empty();
    let misleads = |p: &Problem| partial && matches!(p.kind(), ProblemKind::Missing | ProblemKind::Check);
    let more = refused.map(|refused| refused.problems).unwrap_or_default();
    problems.extend(more.into_iter().filter(|p| !misleads(p)));
    Error::problems_in(what_of(name), problems)
}

fn late() -> Problem {
    Problem::new(ProblemKind::Unreadable, "", "gave no answer in time")
}

/// What an error report calls the first configuration.
pub(crate) fn what_of(name: &str) -> String {
    if name.is_empty() { "the configuration".to_owned() } else { format!("the configuration of {name}") }
}

/// Waits for every source's first answer, up to the deadline.
async fn first_answers(
    sources: &[Handle],
    arrivals: &mut mpsc::Receiver<Arrival>,
    startup: Duration,
) -> Vec<Option<Answer>> {
    let deadline = tokio::time::Instant::now() + startup;
    let mut answers: Vec<Option<Answer>> = sources.iter().map(|_| None).collect();
    while answers.iter().any(Option::is_none) {
        match tokio::time::timeout_at(deadline, arrivals.recv()).await {
            Ok(Some(arrival)) => answers[arrival.source] = Some(arrival.answer),
            Ok(None) | Err(_) => break,
        }
    }
    answers
}

/// Splits first answers into offers, in the order of the sources, and problems.
fn take(answers: Vec<Option<Answer>>, sources: &[Handle], board: &Board) -> (Vec<Offer>, Vec<Problem>) {
    let now = Instant::now();
    let (mut offers, mut problems) = (Vec::new(), Vec::new());
    for (index, (answer, source)) in answers.into_iter().zip(sources).enumerate() {
        let update = match answer {
            Some(Answer::Update(update)) => {
                Board::count(&board.documents);
                board.answered(index, now);
                board.set_source(index, source.well(), None, now);
                update
            }
            Some(Answer::Failed(error) | Answer::Ended(Some(error))) => {
                problems.extend(error.into_problems().into_iter().map(|p| named(p, &source.name)));
                Update::absent()
            }
            Some(Answer::Ended(None)) | None => {
                problems.push(named(late(), &source.name));
                Update::absent()
            }
        };
        offers.push(Offer::new(update));
    }
    (offers, problems)
}

/// A problem always says whose it is.
pub(crate) fn named(problem: Problem, source: &Arc<str>) -> Problem {
    if problem.origin.is_some() { problem } else { problem.at(Origin::whole(source.clone())) }
}

async fn judge_first<T: HotConf>(
    stack: Stack,
    policy: Policy,
    workers: &Arc<Workers>,
    report: &Report,
) -> Result<judge::Candidate<T>, Refused> {
    on_worker_if(T::SCHEMA.foreign || stack.bytes() > LONG, workers, report, move || {
        judge::first::<T>(stack, policy)
    })
    .await
}

/// Tells of foreign code that panicked or hangs.
fn reporter(bus: Arc<Bus>, workers: Arc<Workers>, name: Arc<str>) -> Report {
    Arc::new(move |trouble| {
        let message = match trouble {
            Trouble::Panicked { name, message } => format!("{name} panicked: {message}"),
            Trouble::Late { name, after } => format!("{name} has been running for {} s", after.as_secs()),
        };
        let event = Event::Warning(Warning { path: String::new(), message, origin: None });
        trace::event(&name, &event);
        tell(&bus, &workers, &event);
    })
}
