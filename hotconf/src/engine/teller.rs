//! Tells the story of one configuration: to readers at once, to listeners on workers, to `tracing`.

use super::workers::Workers;
use crate::observe::{Bus, Event, Warning, trace};
use crate::subscribe::{Calls, Job, Pool, Report, Trouble};
use std::sync::{Arc, OnceLock, Weak};

type WeakReport = Weak<dyn Fn(Trouble) + Send + Sync>;

/// Whom to tell, and under which name.
#[derive(Clone)]
pub(crate) struct Teller {
    pub(crate) name: Arc<str>,
    pub(crate) bus: Arc<Bus>,
    pub(crate) workers: Arc<Workers>,
    /// A listener counts as a callback: a shutdown lets it hear what was told before.
    pub(crate) calls: Arc<Calls>,
    /// Weak, because the report tells through this very teller.
    report: Arc<OnceLock<WeakReport>>,
}

impl Teller {
    /// A teller, and the report of every job of this configuration: one, by which the pool knows them.
    pub(crate) fn new(name: Arc<str>, bus: Arc<Bus>, workers: Arc<Workers>) -> (Self, Report) {
        let teller = Self { name, bus, workers, calls: Calls::new(), report: Arc::default() };
        let report: Report = {
            let teller = teller.clone();
            Arc::new(move |trouble| teller.trouble(trouble))
        };
        let _ = teller.report.set(Arc::downgrade(&report));
        (teller, report)
    }

    pub(crate) fn tell(&self, event: &Event) {
        trace::event(&self.name, event);
        for listener in self.bus.tell(event) {
            let Some(report) = self.report.get().and_then(Weak::upgrade) else { return };
            let drain = {
                let report = report.clone();
                let heard = move |message| report(Trouble::Panicked { name: Arc::from("on_event"), message });
                self.calls.counted(move || listener.drain(heard))
            };
            // A job that is not taken is dropped: the workers have ended, and with them everything.
            drop(Pool::submit(&*self.workers, Job { name: Arc::from("on_event"), report, run: drain }));
        }
    }

    /// Drops values of the user's on a worker: their `Drop` is code of the user too.
    pub(crate) fn retire(&self, gone: impl Send + 'static) {
        let Some(report) = self.report.get().and_then(Weak::upgrade) else { return };
        let name = Arc::from("dropping a version that is no longer in force");
        let run = self.calls.counted(move || drop(gone));
        // Without workers it is dropped here: then everything ends.
        drop(Pool::submit(&*self.workers, Job { name, report, run }));
    }

    /// Tells of code of the user that panicked or hangs.
    fn trouble(&self, trouble: Trouble) {
        let message = match trouble {
            Trouble::Panicked { name, message } => format!("{name} panicked: {message}"),
            Trouble::Late { name, after } => format!("{name} has been running for {} s", after.as_secs()),
        };
        self.tell(&Event::Warning(Warning { path: String::new(), message, origin: None }));
    }
}
