//! One load on the calling thread: every source is asked once, nothing is watched, no thread begins.

use super::OneShot;
use super::clock::Clock;
use super::first::{first_snapshot, refuse, remark};
use super::judge;
use super::launch::Setup;
use super::named;
use crate::control::{Answer, Asked, First, first};
use crate::error::{Error, Problem};
use crate::layer::Stack;
use crate::load::HotConf;
use crate::observe::{Warning, trace};
use crate::publish::Snapshot;
use crate::source::{Context, Group, Services, Source, Update, read_named};
use crate::subscribe::blocking::{self, Wait};
use crate::sync::{later, lock};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Instant;

/// What sources warn of.
type Remarks = Arc<Mutex<Vec<Problem>>>;

/// Loads once; the warnings are told besides.
pub(crate) fn read_once<T: HotConf>(mut setup: Setup) -> Result<(Snapshot<T>, Vec<Warning>), Error> {
    let group = Group::new();
    let remarks = Remarks::default();
    let sources = std::mem::take(&mut setup.sources);
    let asked: Vec<_> =
        sources.into_iter().map(|source| ask::<T>(source, &setup, &group, &remarks)).collect();
    let names: Vec<Arc<str>> = asked.iter().map(|asked| asked.name.clone()).collect();
    let First { documents, problems, late } = first(asked, &Update::absent());
    for (source, error) in late {
        let problems = error.into_problems().into_iter();
        lock(&remarks).extend(problems.map(|problem| remark(problem.message, &names[source])));
    }
    let mut stack = Stack::default();
    for (name, update) in names.into_iter().zip(documents) {
        stack.push(name, update.into_docs());
    }
    stack.ask_overlays(&Arc::new(setup.here.clone()), Clock::default().now());
    let mut contents = named::none();
    let mut rounds = 0..ROUNDS;
    let judged = loop {
        let judged =
            trace::load(&setup.name, || judge::first::<T>(stack.clone(), contents.clone(), setup.policy));
        match judged {
            Err(refused) if !refused.wants.is_empty() && rounds.next().is_some() => {
                contents = Arc::new(contents.with(read_named(&refused.named, setup.limits.bytes)));
            }
            judged => break judged,
        }
    };
    let mut remarks = std::mem::take(&mut *lock(&remarks));
    match judged {
        Ok(candidate) if problems.is_empty() => {
            let (snapshot, mut warnings) = first_snapshot::<T>(candidate);
            warnings.append(&mut remarks);
            Ok((snapshot, warnings.into_iter().map(Into::into).collect()))
        }
        judged => Err(refuse(&setup.name, problems, judged, remarks)),
    }
}

/// How often what was read may have a load name more files; a type of the program's may do that.
pub(super) const ROUNDS: u32 = 8;

/// Asks one source, up to the deadline.
fn ask<T: HotConf>(
    mut source: Box<dyn Source>,
    setup: &Setup,
    group: &Arc<Group>,
    remarks: &Remarks,
) -> Asked<Update> {
    let name: Arc<str> = Arc::from(&*source.describe());
    let token = setup.token.child_token();
    let one_shot = Arc::new(OneShot::until(later(Instant::now(), setup.startup)));
    let services: Arc<dyn Services> = one_shot.clone();
    let (remarks, whose) = (remarks.clone(), name.clone());
    let cx = Context::new(
        services,
        token.clone(),
        group.clone(),
        Arc::new(move |message| lock(&remarks).push(remark(message, &whose))),
        T::SCHEMA,
        setup.poll,
        setup.limits,
    );
    let answer = match blocking::wait(token.run_until_cancelled(source.next(&cx)), Some(setup.startup)) {
        Wait::Done(Some(Ok(update))) => Some(Answer::Brought(update)),
        Wait::Done(Some(Err(error))) => Some(Answer::Failed(error)),
        Wait::Done(None) => Some(Answer::Ended(None)),
        Wait::TimedOut => None,
    };
    // The source first: it may have sockets of the engine that goes now.
    drop(source);
    #[cfg(feature = "remote")]
    one_shot.close();
    let optional = cx.activity().optional.load(Ordering::Relaxed);
    let trouble = cx.activity().standing().and_then(|standing| standing.error);
    Asked { name, answer, optional, trouble }
}
