//! Brings a configuration to life: pulls every source once, loads, and hands over to the driver.

use super::driver::{Driver, Handle, LONG, Offer, Plan, on_worker_if, stack_of};
use super::judge::{self, Base, Refused};
use super::pull::{Answer, Arrival, Order, pull};
use super::remote::Remote;
use super::teller::Teller;
use super::{Engine, OneShot};
use crate::control::Control;
use crate::error::{Error, Problem, ProblemKind};
use crate::format::Limits;
use crate::layer::{Policy, Stack};
use crate::load::HotConf;
use crate::observe::{Board, Bus, Listener, Warning};
use crate::origin::Origin;
use crate::publish::{Meta, Scope, Snapshot, Version};
use crate::schema::Index;
use crate::source::{Activity, Context, Group, Services, Source, Update, Verdict};
use crate::subscribe::blocking::{self, Wait};
use crate::subscribe::{Hub, Report, Topic, contained};
use crate::sync::{later, lock};
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
    pub(crate) limits: Limits,
    pub(crate) events: usize,
    pub(crate) listeners: Vec<Arc<Listener>>,
    pub(crate) token: CancellationToken,
}

/// How many warnings of sources may wait for the driver.
const WARNINGS: usize = 256;

/// What reaches a driver: answers, commands, and warnings by the number of their source.
type Channels = (
    mpsc::Receiver<Arrival>,
    mpsc::UnboundedReceiver<super::remote::Command>,
    mpsc::Receiver<(usize, String)>,
);

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
    let (names, activities): (Vec<Arc<str>>, Vec<Arc<Activity>>) =
        setup.sources.iter().enumerate().map(|(n, s)| (name_of(n, &**s), Arc::default())).unzip();
    let board = Arc::new(Board::new(names.clone(), activities, Instant::now()));
    let bus = Arc::new(Bus::new(setup.events, setup.listeners.clone()));
    let (teller, report) = Teller::new(setup.name.clone(), bus, engine.workers.clone());
    let task = begin::<T>(
        setup,
        names,
        Arc::clone(&engine.services),
        (board.clone(), teller.clone(), report.clone()),
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
    let remote = Remote::new((token, ended), commands_in, board, (teller, report), engine);
    Ok(Started { topic, remote })
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

/// The life of a configuration: sources, first load, driver. When it ends, every source is gone.
async fn begin<T: HotConf>(
    setup: Setup,
    names: Vec<Arc<str>>,
    services: Arc<super::EngineServices>,
    told: (Arc<Board>, Teller, Report),
    commands: mpsc::UnboundedReceiver<super::remote::Command>,
    reply: oneshot::Sender<Result<Arc<Topic<T>>, Error>>,
) {
    let Setup { name, sources, policy, startup, poll, limits, token, .. } = setup;
    let group = Group::new();
    let (arrivals_in, arrivals) = mpsc::channel(sources.len().max(1) * 2);
    let (warn, warned) = mpsc::channel(WARNINGS);
    let mut handles = Vec::with_capacity(sources.len());
    let mut tasks = Vec::with_capacity(sources.len());
    for ((index, source), source_name) in sources.into_iter().enumerate().zip(names) {
        let source_token = token.child_token();
        let warn = warn.clone();
        let cx = Context::new(
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
        .counting(told.0.activity(index));
        let (orders_in, orders) = mpsc::unbounded_channel();
        handles.push(Handle {
            name: source_name,
            live: contained(|| source.is_live()).unwrap_or(true),
            orders: orders_in,
            gone: false,
        });
        tasks.push(tokio::spawn(pull(index, source, cx, arrivals_in.clone(), orders, source_token)));
    }
    drop(arrivals_in);
    let plan = Plan { name, sources: handles, policy };
    drive(plan, startup, told, (arrivals, commands, warned), (group, token.clone()), reply).await;
    // However it ended: nothing of it goes on.
    token.cancel();
    for task in tasks {
        // A panic of a source was told by its task, as the source's end.
        let _ = task.await;
    }
}

/// The first load, and then the driver until its end.
async fn drive<T: HotConf>(
    plan: Plan,
    startup: Duration,
    (board, teller, report): (Arc<Board>, Teller, Report),
    (mut arrivals, commands, mut warned): Channels,
    (group, token): (Arc<Group>, CancellationToken),
    reply: oneshot::Sender<Result<Arc<Topic<T>>, Error>>,
) {
    let policy = plan.policy;
    let answers = first_answers(&plan.sources, &mut arrivals, startup);
    let Some(answers) = token.run_until_cancelled(answers).await else { return };
    let (offers, problems) = take(answers, &plan.sources, &board);
    let stack = stack_of(&offers, &plan.sources);
    let judged = judge_first::<T>(stack, policy, &teller, &report);
    let Some(judged) = token.run_until_cancelled(judged).await else { return };
    let candidate = match judged {
        Ok(candidate) if problems.is_empty() => candidate,
        judged => {
            token.cancel();
            let mut remarks = Vec::new();
            while let Ok((source, text)) = warned.try_recv() {
                remarks.push(named(remark(text), &plan.sources[source].name));
            }
            drop(reply.send(Err(refuse(&plan.name, problems, judged, remarks))));
            return;
        }
    };
    board.decoded.fetch_add(candidate.decoded, std::sync::atomic::Ordering::Relaxed);
    let start = T::SCHEMA.waits().then(|| Arc::new((*candidate.desired).clone()));
    let (running, warnings) = first_snapshot::<T>(candidate);
    let hub = Hub::new(teller.workers.clone(), report.clone(), token.clone(), teller.calls.clone());
    let topic = Topic::new(running.clone(), T::SCHEMA.len, hub);
    for (source, offer) in plan.sources.iter().zip(&offers) {
        // One that has ended meanwhile need not be told.
        let applied = Verdict::Applied { version: 1 };
        drop(source.orders.send(Order::Settled(offer.cursor.clone(), applied)));
    }
    let base = Arc::new(Base { start, desired: None, tree: running.0.meta.tree.clone(), running });
    let driver = Driver::new(
        plan,
        topic.clone(),
        (board, teller),
        (arrivals, commands, warned),
        (group, token, report),
        (base, Control::new(offers)),
    );
    driver.run(warnings, || drop(reply.send(Ok(topic)))).await;
}

/// Loads once on this thread: every source is asked once, nothing is watched.
pub(crate) fn read_once<T: HotConf>(setup: Setup) -> Result<(Snapshot<T>, Vec<Warning>), Error> {
    let one_shot = Arc::new(OneShot::default());
    let services: Arc<dyn Services> = one_shot.clone();
    let group = Group::new();
    let warned: Arc<Mutex<Vec<Problem>>> = Arc::default();
    let (mut stack, mut problems) = (Stack::default(), Vec::new());
    for mut source in setup.sources {
        let name: Arc<str> = Arc::from(&*source.describe());
        let token = setup.token.child_token();
        let (warned, whose) = (warned.clone(), name.clone());
        let cx = Context::new(
            services.clone(),
            token.clone(),
            group.clone(),
            Arc::new(move |message| {
                lock(&warned).push(named(remark(message), &whose));
            }),
            T::SCHEMA,
            setup.poll,
            setup.limits,
        );
        let answer = token.run_until_cancelled(source.next(&cx));
        let update = match blocking::wait(answer, Some(setup.startup)) {
            Wait::Done(Some(Ok(update))) => update,
            Wait::Done(None) => {
                problems.push(named(cancelled(), &name));
                Update::absent()
            }
            Wait::Done(Some(Err(error))) => {
                problems.extend(error.into_problems().into_iter().map(|p| named(p, &name)));
                Update::absent()
            }
            Wait::TimedOut => {
                problems.push(named(late(cx.activity()), &name));
                Update::absent()
            }
        };
        stack.push(name, update.into_docs());
    }
    #[cfg(feature = "remote")]
    one_shot.close();
    match (judge::first::<T>(stack, setup.policy), problems.is_empty()) {
        (Ok(candidate), true) => {
            let (snapshot, mut warnings) = first_snapshot::<T>(candidate);
            warnings.append(&mut lock(&warned));
            Ok((snapshot, warnings.into_iter().map(Into::into).collect()))
        }
        (judged, _) => {
            let remarks = std::mem::take(&mut *lock(&warned));
            Err(refuse(&setup.name, problems, judged, remarks))
        }
    }
}

/// Version 1, and the warnings of its load.
pub(super) fn first_snapshot<T: HotConf>(candidate: judge::Candidate<T>) -> (Snapshot<T>, Vec<Problem>) {
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
fn refuse<T>(
    name: &str,
    mut problems: Vec<Problem>,
    judged: Result<judge::Candidate<T>, Refused>,
    remarks: Vec<Problem>,
) -> Error {
    // What is missing may be in the very source that failed: to say so would mislead.
    let partial = !problems.is_empty();
    let misleads = |p: &Problem| partial && matches!(p.kind(), ProblemKind::Missing | ProblemKind::Check);
    let (more, mut warnings) = match judged {
        Ok(candidate) => (Vec::new(), candidate.warnings),
        Err(refused) => (refused.problems, refused.warnings),
    };
    problems.extend(more.into_iter().filter(|p| !misleads(p)));
    warnings.extend(remarks);
    Error::problems_in(what_of(name), problems).warned(warnings)
}

/// What a source said of itself.
fn remark(message: String) -> Problem {
    Problem::new(ProblemKind::Remark, "", message)
}

fn late(activity: &Activity) -> Problem {
    // A store that was tried again and again: why that failed is what a person needs.
    let why = activity.standing().and_then(|standing| standing.error);
    let why = why.map(|why| format!("; the last attempt: {why}")).unwrap_or_default();
    Problem::new(ProblemKind::Unreadable, "", format!("gave no answer in time{why}"))
}

fn cancelled() -> Problem {
    Problem::new(ProblemKind::Unreadable, "", "was cancelled before it answered")
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
    let deadline = later(Instant::now(), startup).into();
    let mut answers: Vec<Option<Answer>> = sources.iter().map(|_| None).collect();
    while answers.iter().any(Option::is_none) {
        match tokio::time::timeout_at(deadline, arrivals.recv()).await {
            Ok(Some(arrival)) => {
                let Arrival { source, answer, .. } = arrival;
                if let Some(Answer::Update(earlier)) = answers[source].replace(answer) {
                    let order = Order::Settled(earlier.cursor, Verdict::Superseded);
                    drop(sources[source].orders.send(order));
                }
            }
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
            Some(Answer::Ended(None)) => {
                problems.push(named(cancelled(), &source.name));
                Update::absent()
            }
            None => {
                problems.push(named(late(&board.activity(index)), &source.name));
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
    teller: &Teller,
    report: &Report,
) -> Result<judge::Candidate<T>, Refused> {
    on_worker_if(T::SCHEMA.foreign || stack.bytes() > LONG, teller, report, move || {
        judge::first::<T>(stack, policy)
    })
    .await
}
