//! One task per configuration: tells [`Control`] what happens, and does what it says.
//!
//! What is accepted, when, and what is told of it is decided there; how a version is put in force is in
//! [`install`](super::install). Nothing is decided here but what control cannot know: that a shutdown came.

use super::clock::Clock;
use super::judge::{Base, Candidate, judge};
use super::loading::load;
use super::named::Files;
use super::plan::{Offer, Plan};
use super::pull::{Answer, Arrival, Order};
use super::reloads::{Reloads, Request};
use super::teller::Teller;
use super::told::Told;
use crate::control::{self, Control, Effect, Input, Judged};
use crate::error::{Error, Problem};
use crate::load::HotConf;
use crate::observe::trace::{Span, Verdict};
use crate::observe::{Board, Event, SourceState, Warning, trace};
use crate::source::{Group, SourceError};
use crate::subscribe::{Report, Topic};
use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Poll;
use std::time::Instant;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

/// What reaches a driver: what sources bring, requests to reload, and warnings by the number of their source.
pub(crate) struct Inlets {
    pub(crate) arrivals: mpsc::Receiver<Arrival>,
    pub(crate) reloads: Arc<Reloads>,
    pub(crate) warned: mpsc::Receiver<(usize, String)>,
    /// Which sources are about to bring something.
    pub(crate) group: Arc<Group>,
    /// What came during the first load and was none of it.
    pub(crate) early: VecDeque<Arrival>,
}

/// Whom a driver tells, and under which report its jobs run.
#[derive(Clone)]
pub(crate) struct Outlets {
    pub(crate) board: Arc<Board>,
    pub(crate) teller: Teller,
    /// By which the pool knows the jobs of this configuration.
    pub(crate) report: Report,
}

/// Where the end of the first load is told.
pub(crate) type Reply<T> = oneshot::Sender<Result<Arc<Topic<T>>, Error>>;

/// What is to be told of the first load.
pub(crate) struct Begun<T> {
    pub(crate) warnings: Vec<Problem>,
    /// Sources that it went on without.
    pub(crate) late: Vec<(usize, SourceError)>,
    pub(crate) reply: Reply<T>,
}

/// What a driver wakes up for.
enum Woken {
    Asked(Request),
    Brought(Arrival),
    Warned(usize, String),
    /// No source is about to bring anything.
    Calm,
    /// The instant has come that control named.
    Time,
    /// It is time to look at the wall clock.
    Clock,
}

/// Drives one configuration until its token is cancelled.
pub(crate) struct Driver<T: HotConf> {
    pub(super) plan: Plan,
    pub(super) topic: Arc<Topic<T>>,
    pub(super) out: Outlets,
    inlets: Inlets,
    token: CancellationToken,
    pub(super) base: Arc<Base<T>>,
    control: Control<Offer>,
    /// The files that settings name.
    files: Files,
    /// The candidate judged last, where it is valid.
    pub(super) candidate: Option<Candidate<T>>,
    pub(super) told: Told,
    /// The reload that is served.
    request: Option<Request>,
    wake: Option<Instant>,
    /// When overlays of what is in force begin or end to hold.
    clock: Clock,
}

impl<T: HotConf> Driver<T> {
    pub(crate) fn new(
        plan: Plan,
        topic: Arc<Topic<T>>,
        (inlets, out): (Inlets, Outlets),
        token: CancellationToken,
        base: Arc<Base<T>>,
        (accepted, files, clock): (Vec<Offer>, Files, Clock),
    ) -> Self {
        let names = plan.sources.iter().map(|source| source.name.clone());
        let control = Control::new(names.zip(accepted)).with_files(plan.files(), !files.runs());
        Self {
            plan,
            topic,
            out,
            inlets,
            token,
            base,
            control,
            files,
            candidate: None,
            told: Told::default(),
            request: None,
            wake: None,
            clock,
        }
    }

    /// Runs until the token is cancelled. Who started it is answered once everything is told of the first load.
    pub(crate) async fn run(mut self, begun: Begun<T>) {
        let Begun { warnings, late, reply } = begun;
        self.note_warnings(warnings);
        self.hear_warnings();
        for (source, error) in late {
            let answer = control::Answer::Failed(error);
            self.step(Input::Answered { source, answer, ticket: None }).await;
        }
        // Who asked may have given up; then the token is cancelled.
        drop(reply.send(Ok(self.topic.clone())));
        let token = self.token.clone();
        while let Some(woken) = token.run_until_cancelled(self.woken()).await {
            let input = match woken {
                Woken::Asked(request) => {
                    self.request = Some(request);
                    Input::Reload
                }
                Woken::Brought(arrival) => self.heard(arrival),
                Woken::Warned(source, text) => {
                    self.warn_from(source, text);
                    continue;
                }
                Woken::Calm => Input::Calm,
                Woken::Time => Input::Time,
                Woken::Clock if self.clock.is_due() => Input::Flipped,
                Woken::Clock => continue,
            };
            self.step(input).await;
        }
        self.out.board.stop();
        self.topic.close();
        self.out.teller.bus.close();
        if T::SCHEMA.foreign {
            let teller = self.out.teller.clone();
            let gone = (self.topic.clone(), self.base.clone(), self.candidate.take());
            // First, so that what is handed over is the last that holds them.
            drop(self);
            teller.retire(gone);
        }
    }

    /// Waits for the next thing to do. A channel whose other ends are gone brings nothing more.
    async fn woken(&mut self) -> Woken {
        let Self { inlets, control, wake, clock, .. } = self;
        let Inlets { arrivals, reloads, warned, group, early } = inlets;
        let mut calmer = pin!(group.calmer());
        let mut time = pin!(sleep_until(*wake));
        let mut flip = pin!(sleep_until(clock.next_look(Instant::now())));
        poll_fn(|cx| {
            // Everybody who asked before a reload begins is served by it; who asks later gets the next.
            if !control.is_reloading()
                && let Poll::Ready(request) = reloads.poll_take(cx)
            {
                return Poll::Ready(Woken::Asked(request));
            }
            if let Some(arrival) = early.pop_front() {
                return Poll::Ready(Woken::Brought(arrival));
            }
            if let Poll::Ready(Some(arrival)) = arrivals.poll_recv(cx) {
                return Poll::Ready(Woken::Brought(arrival));
            }
            if let Poll::Ready(Some((source, text))) = warned.poll_recv(cx) {
                return Poll::Ready(Woken::Warned(source, text));
            }
            if control.waits_for_calm() {
                loop {
                    if group.stirring() == 0 {
                        return Poll::Ready(Woken::Calm);
                    }
                    if calmer.as_mut().poll(cx).is_pending() {
                        break;
                    }
                    calmer.set(group.calmer());
                }
            }
            if time.as_mut().poll(cx).is_ready() {
                return Poll::Ready(Woken::Time);
            }
            flip.as_mut().poll(cx).map(|()| Woken::Clock)
        })
        .await
    }

    /// What a source brought, as control hears of it.
    fn heard(&mut self, Arrival { source, answer, ticket }: Arrival) -> Input<Offer> {
        let answer = match answer {
            Answer::Update(update) => {
                Board::count(&self.out.board.documents);
                self.out.board.answered(source, Instant::now());
                self.plan.sources[source].note(&update);
                control::Answer::Brought(Offer::new(update))
            }
            Answer::Files(named) => {
                self.out.board.answered(source, Instant::now());
                control::Answer::Brought(Offer::files(self.files.none().with(named)))
            }
            Answer::Failed(error) => control::Answer::Failed(error),
            Answer::Ended(error) => control::Answer::Ended(error),
        };
        Input::Answered { source, answer, ticket }
    }

    /// Tells control what happened, and does what it says. Stops half-way when cancelled: off means off.
    async fn step(&mut self, input: Input<Offer>) {
        // Sources end with the token too, and that is no news of theirs.
        if self.token.is_cancelled() {
            return;
        }
        let mut effects = VecDeque::from(self.control.step(input, Instant::now()));
        let (mut reload, mut verdict) = (Span::none(), Verdict::Unchanged);
        while let Some(effect) = effects.pop_front() {
            match effect {
                Effect::Judge { candidate, second } => {
                    if !second {
                        Board::count(&self.out.board.reloads);
                        // One window may follow another at once.
                        reload.verdict(std::mem::replace(&mut verdict, Verdict::Unchanged));
                        reload = Span::reload(&self.plan.name);
                    }
                    let Some(judged) = self.judge(&candidate, second, reload.clone()).await else { return };
                    if matches!(judged, Judged::Bad(_)) {
                        verdict = verdict.max(Verdict::Refused);
                    }
                    effects.extend(self.control.step(Input::Judged(judged), Instant::now()));
                }
                Effect::Install { version, waiting } => {
                    // Asked once more: judging may have taken its time.
                    if self.token.is_cancelled() {
                        return;
                    }
                    let candidate = self.candidate.take().expect("control has accepted what was judged last");
                    if version != self.base.running.version() {
                        verdict = Verdict::Applied;
                    }
                    reload.in_scope(|| self.install(candidate, version, waiting));
                }
                Effect::Fetch(paths) => self.files.fetch(paths, false),
                Effect::Refresh { ticket } => {
                    let asked = self.plan.files() + usize::from(self.files.runs());
                    for source in &self.plan.sources[..asked] {
                        source.order(Order::Refresh(ticket));
                    }
                }
                Effect::Settle { source, document, verdict } => {
                    self.plan.sources[source].order(Order::Settled(document.cursor, verdict));
                }
                Effect::Stand { source, standing } => self.note_standing(source, standing),
                Effect::Refused(error) => self.out.board.set_rejected(error),
                Effect::Tell(news) => reload.in_scope(|| self.tell_news(news)),
                Effect::Answer(answer) => {
                    if self.token.is_cancelled() {
                        return;
                    }
                    // Whoever is answered has been told what sources have warned of by now.
                    self.hear_warnings();
                    if let Some(request) = self.request.take() {
                        request.answer(answer);
                    }
                }
                Effect::WakeAt(at) => self.wake = at,
            }
        }
        reload.verdict(verdict);
        if self.files.tidy() && self.files.is_empty() {
            self.out.board.set_source(self.plan.files(), SourceState::Starting, None, Instant::now());
        }
    }

    /// Loads a candidate; `None` when cancelled meanwhile.
    async fn judge(&mut self, documents: &[Offer], second: bool, reload: Span) -> Option<Judged> {
        let mut stack = self.plan.stack(documents);
        let flips = stack.ask_overlays(&self.plan.here, self.clock.now());
        let contents = self.plan.contents(documents).unwrap_or_else(|| self.files.none());
        let (base, policy, name) = (self.base.clone(), self.plan.policy, self.plan.name.clone());
        let work = load::<T, _>(stack, (&self.out.teller, &self.out.report), move |stack| {
            reload.in_scope(|| trace::load(&name, || judge(&base, stack, contents, policy)))
        });
        let judged = self.token.run_until_cancelled(work).await?;
        let decoded = &self.out.board.decoded;
        Some(match judged {
            Ok((mut candidate, good)) => {
                decoded.fetch_add(candidate.decoded, Ordering::Relaxed);
                self.files.accepted(std::mem::take(&mut candidate.named), !second);
                self.candidate = Some(candidate);
                self.clock.look_again(flips);
                Judged::Good(good)
            }
            Err(refused) => {
                decoded.fetch_add(refused.decoded, Ordering::Relaxed);
                self.candidate = None;
                self.clock.look_besides(flips);
                if !refused.wants.is_empty() {
                    return Some(Judged::Wants(refused.wants, refused.refusal));
                }
                if !second {
                    self.files.refused(refused.named);
                }
                Judged::Bad(refused.refusal)
            }
        })
    }

    /// Tells what sources have warned of by now.
    fn hear_warnings(&mut self) {
        while let Ok((source, text)) = self.inlets.warned.try_recv() {
            self.warn_from(source, text);
        }
    }

    /// Tells of a source's own warning, once.
    fn warn_from(&mut self, source: usize, message: String) {
        let warning = Warning::of_source(self.plan.sources[source].name.clone(), message);
        if self.told.of_source(&warning) {
            self.tell(Event::Warning(warning));
        }
    }
}

async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}

impl<T: HotConf> Drop for Driver<T> {
    fn drop(&mut self) {
        // On every way out: who waits for a reload hears that there will be none.
        self.inlets.reloads.close();
    }
}
