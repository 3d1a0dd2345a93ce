//! The first load: every source's first answer, a version, and the driver that goes on from there.

use super::clock::Clock;
use super::driver::{Begun, Driver, Inlets, Outlets, Reply};
use super::judge::{self, Base, Refused};
use super::loading::load;
use super::named::{self, Files};
use super::once::ROUNDS;
use super::plan::{Offer, Plan};
use super::pull::{Answer, Arrival, Order};
use crate::control::{self, Asked, First};
use crate::error::{Error, Problem, ProblemKind};
use crate::load::HotConf;
use crate::named::Named;
use crate::observe::{Board, Event, SourceState, trace};
use crate::publish::{Meta, Scope, Snapshot, Version};
use crate::schema::Index;
use crate::source::Verdict;
use crate::subscribe::{Hub, Topic};
use crate::sync::later;
use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant, SystemTime};
use tokio_util::sync::CancellationToken;

/// Loads for the first time. `None` where that was cancelled, or failed: then `reply` was told.
pub(crate) async fn first_load<T: HotConf>(
    mut plan: Plan,
    startup: Duration,
    (mut inlets, out): (Inlets, Outlets),
    mut files: Files,
    token: CancellationToken,
    reply: Reply<T>,
) -> Option<(Driver<T>, Begun<T>)> {
    let deadline = later(Instant::now(), startup);
    let answers = answers(&plan, &mut inlets, deadline);
    let answers = token.run_until_cancelled(answers).await?;
    let First { mut documents, problems, late } =
        control::first(asked(answers, &mut plan, &out.board), &Offer::absent());
    let (policy, name) = (plan.policy, plan.name.clone());
    documents.push(Offer::absent());
    let (mut rounds, mut clock) = (0..ROUNDS, Clock::default());
    let judged = loop {
        let contents = plan.contents(&documents).unwrap_or_else(|| files.none());
        let name = name.clone();
        let mut stack = plan.stack(&documents);
        let flips = stack.ask_overlays(&plan.here, clock.now());
        clock.look_again(flips);
        let loading = load::<T, _>(stack, (&out.teller, &out.report), move |stack| {
            trace::load(&name, || judge::first::<T>(stack, contents, policy))
        });
        match token.run_until_cancelled(loading).await? {
            Err(refused) if !refused.wants.is_empty() && rounds.next().is_some() => {
                files.fetch(refused.wants.clone(), true);
                let read = read(&plan, &mut inlets, deadline);
                let Some(named) = token.run_until_cancelled(read).await? else { break Err(refused) };
                out.board.answered(plan.files(), Instant::now());
                documents[plan.files()] = Offer::files(files.none().with(named));
            }
            judged => break judged,
        }
    };
    let mut candidate = match judged {
        Ok(candidate) if problems.is_empty() => candidate,
        judged => {
            token.cancel();
            let mut remarks = Vec::new();
            while let Ok((source, text)) = inlets.warned.try_recv() {
                remarks.push(remark(text, &plan.sources[source].name));
            }
            drop(reply.send(Err(refuse(&plan.name, problems, judged, remarks))));
            return None;
        }
    };
    out.board.decoded.fetch_add(candidate.decoded, Ordering::Relaxed);
    files.accepted(std::mem::take(&mut candidate.named), true);
    if files.runs() {
        out.board.set_source(plan.files(), SourceState::Following, None, Instant::now());
    }
    let (running, warnings) = first_snapshot::<T>(candidate);
    let calls = out.teller.calls.clone();
    let hub = Hub::new(out.teller.workers.clone(), out.report.clone(), token.clone(), calls);
    let topic = trace::publish(&plan.name, 1, || {
        trace::first(&plan.name, T::SCHEMA.len);
        Topic::new(running.clone(), T::SCHEMA.len, hub)
    });
    for (index, (source, offer)) in plan.sources.iter().zip(&documents).take(plan.files()).enumerate() {
        if late.iter().all(|(late, _)| *late != index) {
            source.order(Order::Settled(offer.cursor.clone(), Verdict::Applied { version: 1 }));
        }
    }
    let base = Arc::new(Base::first(running));
    let driver = Driver::new(plan, topic, (inlets, out), token, base, (documents, files, clock));
    Some((driver, Begun { warnings, late, reply }))
}

/// Waits for every source's first answer, up to the deadline. One that answered and fails while others are waited for
/// has answered: that it fails is kept for later.
async fn answers(plan: &Plan, inlets: &mut Inlets, deadline: Instant) -> Vec<Option<Answer>> {
    let deadline = deadline.into();
    let mut answers: Vec<Option<Answer>> = (0..plan.files()).map(|_| None).collect();
    while answers.iter().any(Option::is_none) {
        match tokio::time::timeout_at(deadline, inlets.arrivals.recv()).await {
            Ok(Some(arrival))
                if !matches!(arrival.answer, Answer::Update(_))
                    && matches!(answers[arrival.source], Some(Answer::Update(_))) =>
            {
                inlets.early.push_back(arrival);
            }
            Ok(Some(Arrival { source, answer, .. })) => {
                if let Some(Answer::Update(earlier)) = answers[source].replace(answer) {
                    plan.sources[source].order(Order::Settled(earlier.cursor, Verdict::Superseded));
                }
            }
            Ok(None) | Err(_) => break,
        }
    }
    answers
}

/// Waits for the files that settings name; what sources bring meanwhile is kept. `None`: not in time.
async fn read(plan: &Plan, inlets: &mut Inlets, deadline: Instant) -> Option<Named> {
    loop {
        let arrival = tokio::time::timeout_at(deadline.into(), inlets.arrivals.recv()).await;
        match arrival.ok().flatten()? {
            Arrival { answer: Answer::Files(named), .. } => return Some(named),
            arrival if arrival.source == plan.files() => return None,
            arrival => inlets.early.push_back(arrival),
        }
    }
}

/// What every source did, as control hears of it.
fn asked(answers: Vec<Option<Answer>>, plan: &mut Plan, board: &Board) -> Vec<Asked<Offer>> {
    let now = Instant::now();
    let asked = |(index, answer): (usize, Option<Answer>)| {
        let source = &mut plan.sources[index];
        let answer = answer.map(|answer| match answer {
            Answer::Update(update) => {
                Board::count(&board.documents);
                board.answered(index, now);
                source.note(&update);
                board.set_source(index, source.well(), None, now);
                control::Answer::Brought(Offer::new(update))
            }
            Answer::Files(named) => control::Answer::Brought(Offer::files(named::none().with(named))),
            Answer::Failed(error) => control::Answer::Failed(error),
            Answer::Ended(error) => control::Answer::Ended(error),
        });
        let activity = board.activity(index);
        let optional = activity.optional.load(Ordering::Relaxed);
        let trouble = activity.standing().and_then(|standing| standing.error);
        Asked { name: source.name.clone(), answer, optional, trouble }
    };
    answers.into_iter().enumerate().map(asked).collect()
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
pub(super) fn refuse<T>(
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
        Err(Refused { refusal, .. }) => (refusal.problems, refusal.warnings),
    };
    problems.extend(more.into_iter().filter(|p| !misleads(p)));
    warnings.extend(remarks);
    let what =
        if name.is_empty() { "the configuration".to_owned() } else { format!("the configuration of {name}") };
    let error = Error::problems_in(what, problems).warned(warnings);
    trace::refuse(name, &error, || trace::event(name, &Event::Rejected(error.clone())));
    error
}

/// What a source said of itself.
pub(super) fn remark(message: String, source: &Arc<str>) -> Problem {
    Problem::new(ProblemKind::Remark, "", message).of(source)
}
