//! Where a candidate is loaded: in place where that is short and runs no code of the user, else on a worker.

use super::judge::Refused;
use super::teller::Teller;
use crate::error::{Problem, ProblemKind};
use crate::layer::Stack;
use crate::load::HotConf;
use crate::subscribe::{Job, Pool, Report};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use tokio::sync::oneshot;

/// Documents of more bytes than this are loaded on a worker.
const LONG: usize = 64 << 10;

/// Loads `stack` by `work`, in the right place. A panic in it is a refusal.
pub(crate) async fn load<T: HotConf, C: Send + 'static>(
    stack: Stack,
    (teller, report): (&Teller, &Report),
    work: impl FnOnce(Stack) -> Result<C, Refused> + Send + 'static,
) -> Result<C, Refused> {
    let away = T::SCHEMA.foreign || stack.bytes() > LONG;
    let work = move || {
        catch_unwind(AssertUnwindSafe(|| work(stack))).unwrap_or_else(|_| {
            refused("loading it panicked; the panic was printed by the program's panic hook")
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
    finished.await.unwrap_or_else(|_| refused("loading it was cut short by a shutdown"))
}

fn refused<C>(message: &str) -> Result<C, Refused> {
    Err(Refused::of(Problem::new(ProblemKind::Check, "", message)))
}
