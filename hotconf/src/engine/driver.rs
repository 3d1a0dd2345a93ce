//! One task per configuration: gathers what its sources bring, has it judged, and puts it in force.
//!
//! What is accepted is decided by [`Control`]; this file carries it out, and `install` puts it in force.

use super::judge::{Base, Candidate, Refused, judge};
use super::launch::named;
use super::pull::{Answer, Arrival, Order};
use super::remote::Command;
use super::teller::Teller;
use crate::control::{Control, Effect, Input, Judged, Pending};
use crate::error::{Error, Problem, ProblemKind};
use crate::layer::{Policy, Stack};
use crate::load::HotConf;
use crate::observe::{Board, Event, SourceDown, SourceState, Warning, trace};
use crate::race::{Either, race};
use crate::source::{Cursor, Group, SourceError, SourceErrorKind, Update, Verdict};
use crate::subscribe::{Job, Pool, Report, Topic};
use crate::value::Layered;
use std::collections::HashSet;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Poll;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout_at;
use tokio_util::sync::CancellationToken;

/// How long what one source brought waits for others that are about to bring something.
const GATHER: Duration = Duration::from_millis(300);
/// How long `reload` waits for the slowest source.
const RELOAD: Duration = Duration::from_secs(10);
/// Documents of more bytes than this are loaded on a worker.
pub(crate) const LONG: usize = 64 << 10;

/// What a configuration was set up with.
pub(crate) struct Plan {
    pub(crate) name: Arc<str>,
    pub(crate) sources: Vec<Handle>,
    pub(crate) policy: Policy,
}

/// A source as the driver knows it.
pub(crate) struct Handle {
    pub(crate) name: Arc<str>,
    pub(crate) live: bool,
    pub(crate) orders: mpsc::UnboundedSender<Order>,
    /// Its task has ended: it answers no more.
    pub(crate) gone: bool,
}

impl Handle {
    /// The state of this source while it is well.
    pub(crate) fn well(&self) -> SourceState {
        if self.live { SourceState::Following } else { SourceState::Fixed }
    }
}

/// What a source brought, as control hands it about.
#[derive(Clone)]
pub(crate) struct Offer {
    docs: Arc<[Layered]>,
    pub(crate) cursor: Cursor,
}

impl Offer {
    pub(crate) fn new(mut update: Update) -> Self {
        let cursor = std::mem::take(&mut update.cursor);
        Self { docs: update.into_docs().into(), cursor }
    }
}

/// The layers that offers make, one per source.
pub(crate) fn stack_of(offers: &[Offer], sources: &[Handle]) -> Stack {
    let mut stack = Stack::default();
    for (offer, source) in offers.iter().zip(sources) {
        stack.push(source.name.clone(), offer.docs.to_vec());
    }
    stack
}

/// What a driver wakes up for.
enum Woken {
    Asked(Command),
    Brought(Arrival),
    Warned(usize, String),
}

/// Drives one configuration until its token is cancelled.
pub(crate) struct Driver<T: HotConf> {
    pub(super) plan: Plan,
    pub(super) topic: Arc<Topic<T>>,
    pub(super) board: Arc<Board>,
    teller: Teller,
    arrivals: mpsc::Receiver<Arrival>,
    commands: mpsc::UnboundedReceiver<Command>,
    warned: mpsc::Receiver<(usize, String)>,
    report: Report,
    group: Arc<Group>,
    token: CancellationToken,
    pub(super) base: Arc<Base<T>>,
    control: Control<Offer>,
    pub(super) pending: Pending,
    /// Warnings of the documents in force, so that each is told once.
    pub(super) warnings: HashSet<Warning>,
    /// Warnings that sources gave themselves.
    pub(super) told: HashSet<Warning>,
    tickets: u64,
}

impl<T: HotConf> Driver<T> {
    pub(crate) fn new(
        plan: Plan,
        topic: Arc<Topic<T>>,
        (board, teller): (Arc<Board>, Teller),
        (arrivals, commands, warned): (
            mpsc::Receiver<Arrival>,
            mpsc::UnboundedReceiver<Command>,
            mpsc::Receiver<(usize, String)>,
        ),
        (group, token, report): (Arc<Group>, CancellationToken, Report),
        (base, control): (Arc<Base<T>>, Control<Offer>),
    ) -> Self {
        Self {
            plan,
            topic,
            board,
            teller,
            arrivals,
            commands,
            warned,
            report,
            group,
            token,
            base,
            control,
            pending: Pending::default(),
            warnings: HashSet::new(),
            told: HashSet::new(),
            tickets: 0,
        }
    }

    /// Runs until the token is cancelled. `started` is called once the warnings of the first load are told.
    pub(crate) async fn run(mut self, warnings: Vec<Problem>, started: impl FnOnce()) {
        for event in self.note_warnings(warnings) {
            self.tell(event);
        }
        self.hear_warnings();
        started();
        let token = self.token.clone();
        while let Some(woken) = token.run_until_cancelled(self.woken()).await {
            match woken {
                Woken::Asked(command) => self.obey(command).await,
                Woken::Brought(arrival) => {
                    let mut arrivals = vec![arrival];
                    if self.gather(&mut arrivals).await {
                        self.look_at(arrivals).await;
                    }
                }
                Woken::Warned(source, text) => self.warn_from(source, text),
            }
        }
        self.board.stop();
        self.topic.close();
        self.teller.bus.close();
    }

    /// Waits for the next thing to do. A channel whose other ends are gone brings nothing more.
    async fn woken(&mut self) -> Woken {
        poll_fn(|cx| {
            if let Poll::Ready(Some(command)) = self.commands.poll_recv(cx) {
                return Poll::Ready(Woken::Asked(command));
            }
            if let Poll::Ready(Some(arrival)) = self.arrivals.poll_recv(cx) {
                return Poll::Ready(Woken::Brought(arrival));
            }
            if let Poll::Ready(Some((source, text))) = self.warned.poll_recv(cx) {
                return Poll::Ready(Woken::Warned(source, text));
            }
            Poll::Pending
        })
        .await
    }

    /// Waits for sources that are about to bring something; `false` when cancelled.
    async fn gather(&mut self, arrivals: &mut Vec<Arrival>) -> bool {
        let deadline = tokio::time::Instant::now() + GATHER;
        loop {
            while let Ok(arrival) = self.arrivals.try_recv() {
                arrivals.push(arrival);
            }
            if self.group.stirring() == 0 {
                return true;
            }
            let more = race(self.arrivals.recv(), self.group.calmer());
            match self.token.run_until_cancelled(timeout_at(deadline, more)).await {
                None => return false,
                Some(Ok(Either::First(Some(arrival)))) => arrivals.push(arrival),
                Some(Ok(Either::Second(()))) => {}
                // The ceiling, or no source is left.
                Some(Err(_) | Ok(Either::First(None))) => return true,
            }
        }
    }

    /// Carries a command out.
    async fn obey(&mut self, command: Command) {
        let Command::Reload(answer) = command;
        let mut answers = vec![answer];
        // Everybody who asked before this reload begins is served by it; who asks later gets the next.
        while let Ok(Command::Reload(answer)) = self.commands.try_recv() {
            answers.push(answer);
        }
        if let Some(result) = self.reload().await {
            self.hear_warnings();
            for answer in answers {
                // Who asked may have gone.
                drop(answer.send(result.clone()));
            }
        }
    }

    /// Tells what sources have warned of by now: whoever is answered next has been told.
    fn hear_warnings(&mut self) {
        while let Ok((source, text)) = self.warned.try_recv() {
            self.warn_from(source, text);
        }
    }

    /// Reads every source anew; `None` when cancelled.
    async fn reload(&mut self) -> Option<Result<u64, Error>> {
        self.tickets += 1;
        let ticket = self.tickets;
        let mut waiting: HashSet<usize> = HashSet::new();
        for (index, source) in self.plan.sources.iter().enumerate() {
            if !source.gone && source.orders.send(Order::Refresh(ticket)).is_ok() {
                waiting.insert(index);
            }
        }
        let deadline = tokio::time::Instant::now() + RELOAD;
        let mut arrivals = Vec::new();
        while !waiting.is_empty() {
            match self.token.run_until_cancelled(timeout_at(deadline, self.arrivals.recv())).await? {
                Ok(Some(arrival)) => {
                    if arrival.ticket == Some(ticket) || matches!(arrival.answer, Answer::Ended(_)) {
                        waiting.remove(&arrival.source);
                    }
                    arrivals.push(arrival);
                }
                Ok(None) | Err(_) => break,
            }
        }
        let refusal = self.look_at(arrivals).await;
        if self.token.is_cancelled() {
            return None;
        }
        if !waiting.is_empty() {
            let late = |source: usize| {
                let message = format!("gave no answer within {RELOAD:?}");
                named(Problem::new(ProblemKind::Unreadable, "", message), &self.plan.sources[source].name)
            };
            let mut waiting: Vec<usize> = waiting.into_iter().collect();
            waiting.sort_unstable();
            let error = Error::problems_in("this reload", waiting.into_iter().map(late).collect());
            return Some(Err(error.keeping(self.version())));
        }
        // A source that panicked was not asked: what it holds now, nobody knows.
        let mut gone = (0..self.plan.sources.len()).filter(|s| self.plan.sources[*s].gone);
        let refusal = refusal.or_else(|| gone.find_map(|source| self.board.error_of(source)));
        Some(refusal.map_or_else(|| Ok(self.version()), Err))
    }

    pub(super) fn version(&self) -> u64 {
        self.base.running.version()
    }

    /// Looks at one window: the newest answer of each source. Returns what was refused or failed in it.
    async fn look_at(&mut self, arrivals: Vec<Arrival>) -> Option<Error> {
        let mut offers: Vec<(usize, Offer)> = Vec::new();
        let mut refusal = None;
        for Arrival { source, answer, .. } in arrivals {
            match answer {
                Answer::Update(update) => {
                    Board::count(&self.board.documents);
                    self.board.answered(source, Instant::now());
                    let offer = Offer::new(update);
                    if let Some(earlier) = offers.iter().position(|(s, _)| *s == source) {
                        let (_, earlier) = offers.swap_remove(earlier);
                        self.settle(source, &earlier, Verdict::Superseded);
                    }
                    offers.push((source, offer));
                }
                Answer::Failed(error) => {
                    // What the source brought earlier in this window is no longer what it holds.
                    if let Some(earlier) = offers.iter().position(|(s, _)| *s == source) {
                        let (_, earlier) = offers.swap_remove(earlier);
                        self.settle(source, &earlier, Verdict::Superseded);
                    }
                    refusal = Some(self.failed(source, error));
                }
                Answer::Ended(error) => {
                    self.plan.sources[source].gone = true;
                    match error {
                        Some(error) => refusal = Some(self.failed(source, error)),
                        None => {
                            self.board.set_source(source, SourceState::Stopped, None, Instant::now());
                        }
                    }
                }
            }
        }
        if !offers.is_empty() {
            Board::count(&self.board.reloads);
            if let Some(refused) = self.offer(offers).await {
                refusal = Some(refused);
            }
        }
        refusal
    }

    /// A source could not answer: say so once, and keep what it brought last.
    fn failed(&mut self, source: usize, error: SourceError) -> Error {
        let kind = error.kind();
        let name = self.plan.sources[source].name.clone();
        let problems = error.into_problems().into_iter().map(|p| named(p, &name)).collect();
        let error = Error::problems_in(name.to_string(), problems).keeping(self.version());
        let now = Instant::now();
        if kind == SourceErrorKind::Invalid {
            self.control.step(Input::Broken(source));
            Board::count(&self.board.refused);
            self.board.set_source(source, SourceState::Refused, Some(error.clone()), now);
            self.board.set_rejected(Some(error.clone()));
            self.tell(Event::Rejected(error.clone()));
        } else {
            // A source that is retried and fails for the same reason is no news.
            let known = self.board.is_down_for(source, &error);
            self.board.set_source(source, SourceState::Down, Some(error.clone()), now);
            if !known {
                self.tell(Event::SourceDown(SourceDown { source: name, error: error.clone() }));
            }
        }
        error
    }

    /// Has a window's documents judged, and carries out what control decides.
    async fn offer(&mut self, offers: Vec<(usize, Offer)>) -> Option<Error> {
        let mut effects = self.control.step(Input::Offered(offers.clone()));
        let (mut accepted, mut refused, mut refusal) = (None, None, None);
        while let Some(effect) = effects.pop() {
            match effect {
                Effect::Try(candidate) => match self.judge(candidate).await? {
                    Ok(candidate) => {
                        accepted = Some(candidate);
                        effects = self.control.step(Input::Judged(Judged::Good));
                    }
                    Err(problems) => {
                        self.board.decoded.fetch_add(problems.decoded, Ordering::Relaxed);
                        refused.get_or_insert((problems.problems, problems.warnings));
                        effects = self.control.step(Input::Judged(Judged::Bad));
                    }
                },
                Effect::Accept { sources } => {
                    // Asked once more: judging may have taken its time, and off means off.
                    if self.token.is_cancelled() {
                        return None;
                    }
                    if let Some(candidate) = accepted.take() {
                        let recovered = self.well(&sources);
                        let verdict = self.install(candidate);
                        self.accepted(&offers, &recovered, &verdict);
                    }
                }
                Effect::Refuse { sources } => {
                    refusal = refused.take().map(|problems| self.refuse(&sources, &offers, problems));
                }
            }
        }
        refusal
    }

    /// Loads a candidate; `None` when cancelled meanwhile.
    async fn judge(&self, candidate: Vec<Offer>) -> Option<Result<Candidate<T>, Refused>> {
        let stack = stack_of(&candidate, &self.plan.sources);
        let (base, policy) = (self.base.clone(), self.plan.policy);
        let long = T::SCHEMA.foreign || stack.bytes() > LONG;
        let name = self.plan.name.clone();
        let work = on_worker_if(long, &self.teller, &self.report, move || {
            trace::load(&name, || judge(&base, stack, policy))
        });
        self.token.run_until_cancelled(work).await
    }

    pub(super) fn settle(&self, source: usize, offer: &Offer, verdict: Verdict) {
        // A source that has ended need not be told.
        drop(self.plan.sources[source].orders.send(Order::Settled(offer.cursor.clone(), verdict)));
    }

    pub(super) fn tell(&self, event: Event) {
        self.teller.tell(&event);
    }
}

/// Runs `work` on a worker, or in place where it is short and runs no code of the user. A panic in it
/// is a refusal.
pub(crate) async fn on_worker_if<C: Send + 'static>(
    away: bool,
    teller: &Teller,
    report: &Report,
    work: impl FnOnce() -> Result<C, Refused> + Send + 'static,
) -> Result<C, Refused> {
    let work = move || {
        catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| {
            let message = "loading it panicked; the panic was printed by the program's panic hook";
            Err(Refused::of(Problem::new(ProblemKind::Check, "", message)))
        })
    };
    if !away {
        return work();
    }
    let (done, finished) = oneshot::channel();
    // Counted: a shutdown abandons the load, and says so if a check or a `Deserialize` does not return.
    let run = teller.calls.counted(move || {
        // Who asked may have been cancelled meanwhile.
        drop(done.send(work()));
    });
    let job = Job { name: Arc::from("loading the new configuration"), report: report.clone(), run };
    // A job that is not taken is dropped, and its end of the channel with it.
    drop(Pool::submit(&*teller.workers, job));
    finished.await.unwrap_or_else(|_| {
        let message = "loading it was cut short by a shutdown";
        Err(Refused::of(Problem::new(ProblemKind::Check, "", message)))
    })
}
