//! Closures that are called on workers: one run at a time for each, what comes meanwhile is folded.
//!
//! States of a callback: opening (its baseline is being read), idle, queued (a job is on its way), running;
//! closed beside each of them. Rules:
//! 1. A job is submitted only on the way from idle to queued, so there is at most one of it.
//! 2. Closing is marked under the slot's lock, and a run looks for the mark under it right before it calls;
//!    so no call starts after closing has returned.
//! 3. The closure is in the slot, or with the run that took it. Who takes it last drops it, without lock.

use super::change::{Change, trace};
use super::fold::{Fold, Step};
use super::gate::Gate;
use super::job::{Job, Trouble, contained};
use super::registry::{Hub, Kind, Listener, Place, Registry};
use super::subscription::{Cancel, Hook, Subscription};
use crate::publish::{Core, Snapshot};
use crate::schema::Select;
use crate::sync::lock;
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, Weak};

impl<T: Send + Sync + 'static> Registry<T> {
    /// Calls `f` on a worker whenever what `select` names has changed.
    pub(crate) fn on_change<Out, S, F>(self: &Arc<Self>, core: &Core<T>, select: S, mut f: F) -> Subscription
    where
        S: Select<T, Out>,
        F: FnMut(&Change<T, Out>) + Send + 'static,
    {
        let name = format!("on_change {}", core.cell.snapshot().path_of(&select));
        let callback = Callback::register(self, name.into(), &select);
        let trace = trace(&select);
        let call = Box::new(move |step: Step<Snapshot<T>>, may_start: &dyn Fn() -> bool| {
            if select.__same(&step.old, &step.new) {
                return;
            }
            let change = Change::between(&select, &trace, step.old, step.new);
            if may_start() {
                f(&change);
            }
        });
        callback.open(core.cell.snapshot(), call);
        Subscription::new(callback)
    }

    /// Calls `f` with the value in force, here and now, and then on a worker whenever it has changed.
    pub(crate) fn bind<Out, S, F>(self: &Arc<Self>, core: &Core<T>, select: S, mut f: F) -> Subscription
    where
        S: Select<T, Out>,
        F: FnMut(&Out) + Send + 'static,
    {
        let name = format!("bind {}", core.cell.snapshot().path_of(&select));
        let callback = Callback::register(self, name.into(), &select);
        let baseline = core.cell.snapshot();
        // The callback is still opening: what is told meanwhile waits, so this is the first call.
        let first = catch_unwind(AssertUnwindSafe(|| f(&select.__get(&baseline))));
        if let Err(panic) = first {
            callback.cancel();
            resume_unwind(panic);
        }
        let call = Box::new(move |step: Step<Snapshot<T>>, may_start: &dyn Fn() -> bool| {
            if select.__same(&step.old, &step.new) {
                return;
            }
            let value = select.__get(&step.new);
            drop(step);
            if may_start() {
                f(&value);
            }
        });
        callback.open(baseline, call);
        Subscription::new(callback)
    }
}

/// The user's closure; it asks right before it calls whether it still may.
type Call<T> = Box<dyn FnMut(Step<Snapshot<T>>, &dyn Fn() -> bool) + Send>;

struct Callback<T> {
    place: Place,
    name: Arc<str>,
    registry: Weak<Registry<T>>,
    hub: Arc<Hub>,
    slot: Mutex<Slot<T>>,
    /// Falls to zero when it is closed, runs no more, and the closure is dropped.
    finished: Gate,
}

struct Slot<T> {
    mail: Fold<Snapshot<T>>,
    phase: Phase,
    closed: bool,
    call: Option<Call<T>>,
    hook: Option<Hook>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Opening,
    Idle,
    Queued,
    Running,
}

impl<T: Send + Sync + 'static> Callback<T> {
    fn register<Out, S: Select<T, Out>>(
        registry: &Arc<Registry<T>>,
        name: Arc<str>,
        select: &S,
    ) -> Arc<Self> {
        let callback = Arc::new(Self {
            place: Place::new(Kind::Callback, Some(select.__numbers())),
            name,
            registry: Arc::downgrade(registry),
            hub: Arc::clone(&registry.hub),
            slot: Mutex::new(Slot {
                mail: Fold::gathering(),
                phase: Phase::Opening,
                closed: false,
                call: None,
                hook: None,
            }),
            finished: Gate::new(1),
        });
        registry.insert(&callback.place, callback.clone());
        callback
    }

    fn open(self: &Arc<Self>, baseline: Snapshot<T>, call: Call<T>) {
        let version = baseline.version();
        let (superfluous, unused, submit) = {
            let mut slot = lock(&self.slot);
            let superfluous = slot.mail.open(baseline, version);
            let unused = if slot.closed { Some(call) } else { slot.call.replace(call) };
            slot.phase = Phase::Idle;
            (superfluous, unused, slot.queue())
        };
        let _ = contained(|| drop((superfluous, unused)));
        self.submit_if(submit);
    }

    fn submit_if(self: &Arc<Self>, submit: bool) {
        if !submit {
            return;
        }
        let this = Arc::clone(self);
        let job = Job {
            name: Arc::clone(&self.name),
            report: Arc::clone(&self.hub.report),
            run: Box::new(move || this.run()),
        };
        if self.hub.pool.submit(job).is_err() {
            // The workers have stopped for good, so nothing will run any more.
            lock(&self.slot).phase = Phase::Idle;
        }
    }

    /// One run, on a worker.
    fn run(self: &Arc<Self>) {
        let (step, mut call) = {
            let mut slot = lock(&self.slot);
            slot.phase = Phase::Idle;
            if slot.closed {
                return;
            }
            let (Some(step), Some(call)) = (slot.mail.take(), slot.call.take()) else { return };
            slot.phase = Phase::Running;
            // Under the slot's lock: once every slot is closed, no count can rise.
            self.hub.running.enter();
            (step, call)
        };
        let may_start = || {
            let starts = !lock(&self.slot).closed;
            self.hub.calls.fetch_add(u64::from(starts), Ordering::Relaxed);
            starts
        };
        let inside = self.hub.running.inside(self.place.id);
        let outcome = contained(|| call(step, &may_start));
        let (unused, submit) = {
            let mut slot = lock(&self.slot);
            slot.phase = Phase::Idle;
            if slot.closed {
                (Some(call), false)
            } else {
                slot.call = Some(call);
                (None, slot.queue())
            }
        };
        let closed = unused.is_some();
        let dropped = contained(|| drop(unused));
        drop(inside);
        for message in [outcome.err(), dropped.err()].into_iter().flatten() {
            self.panicked(message);
        }
        if closed {
            self.finished.leave();
        }
        self.hub.running.leave();
        // To the end of the queue, so that a busy field keeps no other waiting.
        self.submit_if(submit);
    }

    fn panicked(&self, message: String) {
        let _ = contained(|| (self.hub.report)(Trouble::Panicked { name: Arc::clone(&self.name), message }));
    }

    /// Marks it closed; hands out what it held, if anything, and whether a run still has to finish.
    fn mark_closed(&self) -> Option<(Option<Box<dyn Any + Send>>, bool)>
    where
        T: 'static,
    {
        let (call, waiting, hook, running) = {
            let mut slot = lock(&self.slot);
            if std::mem::replace(&mut slot.closed, true) {
                return None;
            }
            let running = slot.phase == Phase::Running;
            (slot.call.take(), slot.mail.take(), slot.hook.take(), running)
        };
        drop(hook);
        // Nothing is left while the callback itself runs: whoever waits for what was captured must not wait
        // for a worker that this very callback occupies.
        let held = call.is_some() || waiting.is_some();
        let captured =
            held.then(|| Box::new(Captured { _call: call, _waiting: waiting }) as Box<dyn Any + Send>);
        Some((captured, running))
    }
}

/// What is the user's: the closure, and versions that may be the last of their kind.
struct Captured<T> {
    _call: Option<Call<T>>,
    _waiting: Option<Step<Snapshot<T>>>,
}

impl<T> Slot<T> {
    /// Goes from idle to queued where something waits; `true`: submit a job.
    fn queue(&mut self) -> bool {
        let ready = !self.closed && self.phase == Phase::Idle && self.mail.is_waiting();
        if ready {
            self.phase = Phase::Queued;
        }
        ready
    }
}

impl<T: Send + Sync + 'static> Listener<T> for Callback<T> {
    fn tell(self: Arc<Self>, before: &Snapshot<T>, after: &Snapshot<T>) {
        let (replaced, submit) = {
            let mut slot = lock(&self.slot);
            if slot.closed {
                return;
            }
            (slot.mail.tell(before, after, after.version()), slot.queue())
        };
        if replaced.is_some() {
            let _ = contained(|| drop(replaced));
        }
        self.submit_if(submit);
    }

    fn end(&self) -> Option<Box<dyn Any + Send>> {
        let (captured, running) = self.mark_closed()?;
        if !running {
            self.finished.leave();
        }
        captured
    }
}

impl<T: Send + Sync + 'static> Cancel for Callback<T> {
    fn cancel(&self) {
        let Some((captured, running)) = self.mark_closed() else { return };
        if let Some(registry) = self.registry.upgrade() {
            registry.remove(&self.place);
        }
        if let Err(message) = contained(|| drop(captured)) {
            self.panicked(message);
        }
        if !running {
            self.finished.leave();
        }
    }

    fn id(&self) -> u64 {
        self.place.id
    }

    fn finished(&self) -> &Gate {
        &self.finished
    }

    fn parent_token(&self) -> &tokio_util::sync::CancellationToken {
        &self.hub.token
    }

    fn hook(&self, make: &mut dyn FnMut() -> Hook) -> tokio_util::sync::CancellationToken {
        if let Some(hook) = &lock(&self.slot).hook {
            return hook.token.clone();
        }
        let made = make();
        let token = made.token.clone();
        let (token, unused) = {
            let mut slot = lock(&self.slot);
            match &slot.hook {
                Some(first) => (first.token.clone(), Some(made)),
                // Cancelled while the hook was made, or dropped: nothing is left to cancel.
                None if slot.closed => (token, Some(made)),
                None => {
                    slot.hook = Some(made);
                    (token, None)
                }
            }
        };
        drop(unused);
        token
    }
}
