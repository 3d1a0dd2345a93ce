//! The rules of "what is accepted", of restart fields and of what is told, as tables.
//!
//! Sources are `a`, `b`, …; a document is a number, and all begin with 0. A step is what happens, then what
//! control says to it. What happens: `a1` brings document 1; `a1@` does so for the reload that was asked for;
//! `a?` fails; `a!` holds no document; `a.` ends; `a.?` fails for good; `calm`, `time`, `reload`; `+300` lets
//! so many milliseconds pass and then is `time`. Instants in an answer count from the begin.

use super::Control;
use super::words::{Answer, Document, Effect, Good, Input, Judged, News, Refusal, Runs, Standing};
use crate::error::{Error, Problem, ProblemKind};
use crate::source::{SourceError, Verdict};
use std::time::{Duration, Instant};

/// Of named files, a number above 100 is that of what is not broken, with something broken beside it.
impl Document for u32 {
    fn mended(&self, accepted: &Self) -> Option<Self> {
        self.checked_sub(100).filter(|mended| mended != accepted)
    }
}

/// What a candidate is worth, by the document of each source.
type Judge = fn(&[u32]) -> Judged;

/// All is valid and moves what runs.
fn good(_: &[u32]) -> Judged {
    valid(Runs::Moves, &[])
}

/// Documents above 10 are not valid.
fn above_ten_is_bad(documents: &[u32]) -> Judged {
    if documents.iter().any(|document| *document > 10) { bad() } else { good(documents) }
}

fn valid(runs: Runs, waiting: &[u32]) -> Judged {
    Judged::Good(Good { runs, waiting: waiting.to_vec(), moved: vec![1, 2] })
}

fn bad() -> Judged {
    let problems = vec![Problem::new(ProblemKind::Range, "", "bad")];
    Judged::Bad(Refusal { problems, warnings: Vec::new() })
}

/// Walks one history, and compares every answer.
fn walk(rule: &str, sources: usize, judge: Judge, steps: &[(&str, &str)]) -> Control<u32> {
    let names = ["a", "b", "c"].into_iter().take(sources);
    walk_on(Control::new(names.map(|name| (name.into(), 0))), rule, judge, steps)
}

fn walk_on(mut control: Control<u32>, rule: &str, judge: Judge, steps: &[(&str, &str)]) -> Control<u32> {
    let begin = Instant::now();
    let (mut now, mut ticket) = (begin, None);
    for (step, expected) in steps {
        let input = input(step, ticket, &mut now);
        let mut said = Vec::new();
        let mut open = control.step(input, now);
        while !open.is_empty() {
            let mut next = Vec::new();
            for effect in open {
                match effect {
                    Effect::Judge { candidate, second } => {
                        let again = if second { " again" } else { "" };
                        said.push(format!("judge{again} {candidate:?}"));
                        next.extend(control.step(Input::Judged(judge(&candidate)), now));
                    }
                    Effect::Refresh { ticket: new } => {
                        ticket = Some(new);
                        said.push("refresh".to_owned());
                    }
                    effect => said.extend(told(effect, begin)),
                }
            }
            open = next;
        }
        assert_eq!(said.join("; "), *expected, "{rule}: {step}");
    }
    control
}

fn input(step: &str, ticket: Option<u64>, now: &mut Instant) -> Input<u32> {
    if let Some(passed) = step.strip_prefix('+') {
        *now += Duration::from_millis(passed.parse().expect("milliseconds"));
        return Input::Time;
    }
    match step {
        "calm" => return Input::Calm,
        "flip" => return Input::Flipped,
        "time" => return Input::Time,
        "reload" => return Input::Reload,
        _ => {}
    }
    let source = usize::from(step.as_bytes()[0] - b'a');
    let asked = step.ends_with('@');
    let answer = match step[1..].trim_end_matches('@') {
        "?" => Answer::Failed(SourceError::down("gone")),
        "!" => Answer::Failed(SourceError::invalid("no document")),
        "." => Answer::Ended(None),
        ".?" => Answer::Ended(Some(SourceError::down("it panicked"))),
        document => Answer::Brought(document.parse().expect("a number")),
    };
    Input::Answered { source, answer, ticket: ticket.filter(|_| asked) }
}

fn told(effect: Effect<u32>, begin: Instant) -> Option<String> {
    let name = |source: usize| char::from(b'a' + u8::try_from(source).expect("a letter"));
    Some(match effect {
        Effect::Install { version, waiting } if waiting.is_empty() => format!("install {version}"),
        Effect::Install { version, waiting } => format!("install {version}, {waiting:?} wait"),
        Effect::Settle { source, document, verdict } => {
            let verdict = match verdict {
                Verdict::Applied { version } => format!("in version {version}"),
                verdict => format!("{verdict:?}").to_lowercase(),
            };
            format!("{}{document} {verdict}", name(source))
        }
        Effect::Stand { source, standing } => {
            let standing = match standing {
                Standing::Well => "well",
                Standing::Refused(_) => "refused",
                Standing::Down(_) => "down",
                Standing::Stopped => "stopped",
            };
            format!("{} is {standing}", name(source))
        }
        Effect::Refused(Some(error)) => format!("stands: {error}"),
        Effect::Refused(None) => "none stands".to_owned(),
        Effect::Fetch(paths) => {
            let paths: Vec<_> = paths.iter().map(|path| path.display().to_string()).collect();
            format!("fetch {}", paths.join(", "))
        }
        Effect::Tell(News::Rejected(error)) => format!("tell rejected: {error}"),
        Effect::Tell(News::Down { source, .. }) => format!("tell {} down", name(source)),
        Effect::Tell(News::Up { source }) => format!("tell {} up", name(source)),
        Effect::Tell(News::RestartRequired(leaves)) => format!("tell restart {leaves:?}"),
        Effect::Answer(Ok(version)) => format!("answer {version}"),
        Effect::Answer(Err(error)) => format!("answer: {error}"),
        // The end of a window is no news in most tables: see those of windows.
        Effect::WakeAt(Some(at)) if at.duration_since(begin) > Duration::from_millis(300) => {
            format!("wake at {}", at.duration_since(begin).as_millis())
        }
        Effect::WakeAt(_) => return None,
        Effect::Judge { .. } | Effect::Refresh { .. } => unreachable!("carried out by the walk"),
    })
}

#[test]
fn what_is_accepted() {
    walk(
        "what is valid is in force",
        2,
        good,
        &[("a1", ""), ("calm", "judge [1, 0]; a is well; install 2; a1 in version 2")],
    );
    walk(
        "what moves nothing is no version",
        1,
        |_| valid(Runs::Stays, &[]),
        &[("a1", ""), ("calm", "judge [1]; a is well; install 1; a1 unchanged")],
    );
    walk(
        "what is not valid is set aside, and what was accepted stays",
        2,
        above_ten_is_bad,
        &[
            ("a11", ""),
            (
                "calm",
                "judge [11, 0]; a is refused; a11 refused; stands: bad; keeping version 1; \
            tell rejected: bad; keeping version 1",
            ),
        ],
    );
    walk(
        "documents of one window are accepted together",
        2,
        good,
        &[
            ("a1", ""),
            ("b2", ""),
            ("calm", "judge [1, 2]; a is well; b is well; install 2; a1 in version 2; b2 in version 2"),
        ],
    );
    walk(
        "and set aside together",
        2,
        above_ten_is_bad,
        &[
            ("a11", ""),
            ("b2", ""),
            (
                "calm",
                "judge [11, 2]; a is refused; a11 refused; b is refused; b2 refused; \
            stands: bad; keeping version 1; tell rejected: bad; keeping version 1",
            ),
        ],
    );
    walk(
        "of one source the newest counts",
        1,
        good,
        &[("a1", ""), ("a2", "a1 superseded"), ("calm", "judge [2]; a is well; install 2; a2 in version 2")],
    );
}

#[test]
fn what_an_overlay_changes_by_itself_is_judged_without_any_document() {
    walk(
        "a flip is a version where something moves, and settles nothing",
        2,
        good,
        &[("flip", "judge [0, 0]; install 2"), ("flip", "judge [0, 0]; install 3")],
    );
    walk(
        "what waits in the window goes with it",
        2,
        good,
        &[("b1", ""), ("flip", "judge [0, 1]; b is well; install 2; b1 in version 2"), ("calm", "")],
    );
    walk(
        "one that is not valid leaves everything as it is",
        1,
        |_| bad(),
        &[("flip", "judge [0]; tell rejected: bad; keeping version 1")],
    );
}

#[test]
fn what_was_set_aside_is_tried_whenever_anything_changes() {
    let refused = "judge [11, 0]; a is refused; a11 refused; stands: bad; keeping version 1; \
        tell rejected: bad; keeping version 1";
    let control = walk(
        "a broken document blocks no other source",
        2,
        above_ten_is_bad,
        &[
            ("a11", ""),
            ("calm", refused),
            ("b2", ""),
            ("calm", "judge [11, 2]; judge again [0, 2]; b is well; install 2; b2 in version 2"),
        ],
    );
    assert_eq!((control.accepted(), control.aside()), (vec![&0, &2], vec![&11]));
    let unless_b_is_two =
        |documents: &[u32]| if documents[1] == 2 { good(documents) } else { above_ten_is_bad(documents) };
    walk(
        "it is accepted as soon as another makes it good",
        2,
        unless_b_is_two,
        &[
            ("a11", ""),
            ("calm", refused),
            ("b2", ""),
            (
                "calm",
                "judge [11, 2]; a is well; b is well; none stands; install 2; b2 in version 2; a11 in version 2; tell a up",
            ),
        ],
    );
    walk(
        "a newer one takes its place, and nothing older is left to try without",
        1,
        above_ten_is_bad,
        &[
            ("a11", ""),
            (
                "calm",
                "judge [11]; a is refused; a11 refused; stands: bad; keeping version 1; \
            tell rejected: bad; keeping version 1",
            ),
            ("a12", ""),
            (
                "calm",
                "judge [12]; a is refused; a12 refused; stands: bad; keeping version 1; \
            tell rejected: bad; keeping version 1",
            ),
            ("a3", ""),
            ("calm", "judge [3]; a is well; none stands; install 2; a3 in version 2; tell a up"),
        ],
    );
    walk(
        "where both candidates fail, the newcomer is set aside too",
        2,
        above_ten_is_bad,
        &[
            ("a11", ""),
            ("calm", refused),
            ("b12", ""),
            (
                "calm",
                "judge [11, 12]; judge again [0, 12]; b is refused; b12 refused; \
            stands: bad; keeping version 1; tell rejected: bad; keeping version 1",
            ),
            ("a3", ""),
            ("calm", "judge [3, 12]; judge again [3, 0]; a is well; install 2; a3 in version 2; tell a up"),
        ],
    );
}

#[test]
fn a_refusal_stands_as_long_as_anything_is_set_aside() {
    let refused = "judge [11, 0]; a is refused; a11 refused; stands: bad; keeping version 1; \
        tell rejected: bad; keeping version 1";
    walk(
        "though its source goes down, and another is accepted",
        2,
        above_ten_is_bad,
        &[
            ("a11", ""),
            ("calm", refused),
            ("a?", "a is down; tell a down"),
            ("b2", ""),
            ("calm", "judge [11, 2]; judge again [0, 2]; b is well; install 2; b2 in version 2"),
            ("a0", ""),
            ("calm", "judge [0, 2]; a is well; none stands; install 3; a0 in version 3; tell a up"),
        ],
    );
    let unless_b_is_two =
        |documents: &[u32]| if documents[1] == 2 { good(documents) } else { above_ten_is_bad(documents) };
    walk(
        "a source that is down is not up because what it brought last came in",
        2,
        unless_b_is_two,
        &[
            ("a11", ""),
            ("calm", refused),
            ("a?", "a is down; tell a down"),
            ("b2", ""),
            (
                "calm",
                "judge [11, 2]; a is down; b is well; none stands; install 2; b2 in version 2; a11 in version 2",
            ),
        ],
    );
    walk(
        "what cannot be read as a document voids what was set aside, and is refused itself",
        2,
        above_ten_is_bad,
        &[
            ("a11", ""),
            ("calm", refused),
            (
                "a!",
                "a is refused; stands: a: no document; keeping version 1; \
            tell rejected: a: no document; keeping version 1",
            ),
            ("b2", ""),
            ("calm", "judge [0, 2]; b is well; install 2; b2 in version 2"),
        ],
    );
    walk(
        "the layer of a cancelled source stays as it was",
        2,
        above_ten_is_bad,
        &[
            ("a11", ""),
            ("calm", refused),
            ("a.", "a is stopped; none stands"),
            ("b2", ""),
            ("calm", "judge [0, 2]; b is well; install 2; b2 in version 2"),
        ],
    );
    walk(
        "the newest of several is shown, then the older one again",
        2,
        above_ten_is_bad,
        &[
            ("a11", ""),
            ("calm", refused),
            (
                "b!",
                "b is refused; stands: b: no document; keeping version 1; \
            tell rejected: b: no document; keeping version 1",
            ),
            ("b2", ""),
            (
                "calm",
                "judge [11, 2]; judge again [0, 2]; b is well; stands: bad; keeping version 1; \
            install 2; b2 in version 2; tell b up",
            ),
        ],
    );
}

#[test]
fn sources_go_down_and_come_back() {
    walk(
        "it is told once, and what it brought last stays",
        2,
        good,
        &[
            ("a?", "a is down; tell a down"),
            ("a?", "a is down"),
            ("b2", ""),
            ("calm", "judge [0, 2]; b is well; install 2; b2 in version 2"),
            ("a1", ""),
            ("calm", "judge [1, 2]; a is well; install 3; a1 in version 3; tell a up"),
            ("a?", "a is down; tell a down"),
        ],
    );
    walk(
        "what it brought before it failed is no longer what it holds",
        1,
        good,
        &[("a1", ""), ("a?", "a is down; tell a down; a1 superseded"), ("calm", "")],
    );
    walk(
        "one that ends takes nothing more in",
        1,
        good,
        &[("a1", ""), ("a.", "a is stopped; a1 superseded"), ("calm", "")],
    );
}

#[test]
fn restart_fields() {
    walk(
        "a restart field waits, and is told once per change",
        1,
        |_| valid(Runs::Stays, &[2]),
        &[("a1", ""), ("calm", "judge [1]; a is well; install 1, [2] wait; tell restart [2]; a1 unchanged")],
    );
    let same = |_: &[u32]| Judged::Good(Good { runs: Runs::Moves, waiting: vec![2], moved: vec![7] });
    walk(
        "what waits already is no news while others move",
        1,
        same,
        &[
            ("a1", ""),
            ("calm", "judge [1]; a is well; install 2, [2] wait; tell restart [2]; a1 in version 2"),
            ("a2", ""),
            ("calm", "judge [2]; a is well; install 3, [2] wait; a2 in version 3"),
        ],
    );
    let fails = |documents: &[u32]| match documents {
        [1] => valid(Runs::Fails, &[1, 2]),
        documents => good(documents),
    };
    walk(
        "where only what would run fails, the whole change is pending",
        1,
        fails,
        &[
            ("a1", ""),
            ("calm", "judge [1]; a is well; install 1, [1, 2] wait; tell restart [1, 2]; a1 unchanged"),
            ("a2", ""),
            ("calm", "judge [2]; a is well; install 2; a2 in version 2"),
        ],
    );
    walk(
        "where what is desired fails, it is refused, whatever would run",
        1,
        above_ten_is_bad,
        &[
            ("a11", ""),
            (
                "calm",
                "judge [11]; a is refused; a11 refused; stands: bad; keeping version 1; \
            tell rejected: bad; keeping version 1",
            ),
        ],
    );
}

#[test]
fn windows() {
    walk(
        "a window closes 300 ms after its first document at the latest",
        2,
        good,
        &[
            ("a1", ""),
            ("+299", ""),
            ("b1", ""),
            ("+1", "judge [1, 1]; a is well; b is well; install 2; a1 in version 2; b1 in version 2"),
            ("a2", "wake at 600"),
            ("calm", "judge [2, 1]; a is well; install 3; a2 in version 3"),
        ],
    );
    walk("without a document there is nothing to do", 1, good, &[("calm", ""), ("time", "")]);
}

#[test]
fn reloads() {
    walk(
        "a reload holds the window open until all have answered",
        2,
        good,
        &[
            ("reload", "refresh; wake at 10000"),
            ("a1@", ""),
            ("calm", ""),
            (
                "b1@",
                "judge [1, 1]; a is well; b is well; install 2; a1 in version 2; b1 in version 2; answer 2",
            ),
        ],
    );
    walk(
        "one that is slow holds up the answer and nothing else",
        2,
        good,
        &[
            ("reload", "refresh; wake at 10000"),
            ("a1@", ""),
            ("+300", "judge [1, 0]; a is well; install 2; a1 in version 2; wake at 10000"),
            ("+9700", "answer: b: gave no answer within 10s; keeping version 2"),
            ("b1@", "wake at 10300"),
            ("calm", "judge [1, 1]; b is well; install 3; b1 in version 3"),
        ],
    );
    walk(
        "what came before it is no answer to it",
        1,
        good,
        &[
            ("reload", "refresh; wake at 10000"),
            ("a1", ""),
            ("a2@", "a1 superseded; judge [2]; a is well; install 2; a2 in version 2; answer 2"),
        ],
    );
    walk(
        "everything that is wrong is in the answer",
        2,
        above_ten_is_bad,
        &[
            ("reload", "refresh; wake at 10000"),
            ("a11@", ""),
            (
                "b?@",
                "b is down; tell b down; judge [11, 0]; a is refused; a11 refused; \
            stands: bad; keeping version 1; tell rejected: bad; keeping version 1; \
            answer: b: gone; bad; keeping version 1",
            ),
        ],
    );
    walk(
        "a source that was cancelled is not asked, and one that failed for good is not forgotten",
        3,
        good,
        &[
            ("a.", "a is stopped"),
            ("b.?", "b is down; tell b down"),
            ("reload", "refresh; wake at 10000"),
            (
                "c1@",
                "judge [0, 0, 1]; c is well; install 2; c1 in version 2; \
            answer: b: it panicked; keeping version 1",
            ),
        ],
    );
    walk(
        "one that ends meanwhile is not waited for",
        1,
        good,
        &[("reload", "refresh; wake at 10000"), ("a.", "a is stopped; answer 1")],
    );
    walk("without sources it is answered at once", 0, good, &[("reload", "refresh; answer 1")]);
}

#[test]
fn while_a_candidate_is_judged_others_wait_for_the_next_window() {
    let mut control = Control::new([("a".into(), 0), ("b".into(), 0)]);
    let now = Instant::now();
    let brought =
        |source, document| Input::Answered { source, answer: Answer::Brought(document), ticket: None };
    control.step(brought(0, 1), now);
    let judge = |effects: Vec<Effect<u32>>| {
        effects.into_iter().find_map(|effect| match effect {
            Effect::Judge { candidate, .. } => Some(candidate),
            _ => None,
        })
    };
    assert_eq!(judge(control.step(Input::Calm, now)), Some(vec![1, 0]));
    assert_eq!(judge(control.step(brought(1, 1), now)), None);
    assert!(!control.waits_for_calm());
    let later = now + Duration::from_secs(1);
    assert_eq!(judge(control.step(Input::Time, later)), None);
    assert_eq!(judge(control.step(Input::Judged(good(&[])), later)), Some(vec![1, 1]), "and then are due");
}

#[test]
fn a_report_names_the_first_candidate_s_problems() {
    let mut control = Control::new([("a".into(), 0), ("b".into(), 0)]);
    let now = Instant::now();
    let refusal = |message: &str| {
        let problems = vec![Problem::new(ProblemKind::Range, "", message)];
        Input::Judged(Judged::Bad(Refusal { problems, warnings: Vec::new() }))
    };
    let brought =
        |source, document| Input::Answered { source, answer: Answer::Brought(document), ticket: None };
    for input in [brought(0, 1), Input::Calm, refusal("old"), brought(1, 1), Input::Calm, refusal("first")] {
        control.step(input, now);
    }
    let effects = control.step(refusal("second"), now);
    let rejected: Vec<Error> = effects
        .into_iter()
        .filter_map(|effect| match effect {
            Effect::Tell(News::Rejected(error)) => Some(error),
            _ => None,
        })
        .collect();
    assert_eq!(rejected[0].to_string(), "first; keeping version 1");
}

/// The source `c` stands for named files: a document above 4 names one that is there from document 1 of `c` on.
fn above_four_wants(documents: &[u32]) -> Judged {
    if documents[..2].iter().any(|document| *document > 4) && documents[2] == 0 {
        let problems = vec![Problem::new(ProblemKind::Unreadable, "", "not in time")];
        return Judged::Wants(["f".into()].into(), Refusal { problems, warnings: Vec::new() });
    }
    above_ten_is_bad(documents)
}

/// As [`walk`], with named files.
fn walk_files(rule: &str, steps: &[(&str, &str)]) {
    let names = ["a", "b", "c"];
    let control = Control::new(names.map(|name| (name.into(), 0))).with_files(2, true);
    walk_on(control, rule, above_four_wants, steps);
}

#[test]
fn a_candidate_is_held_until_the_files_are_there_that_it_names() {
    walk_files(
        "with what came meanwhile it is one version",
        &[
            ("a5", ""),
            ("calm", "judge [5, 0, 0]; fetch f; wake at 4000"),
            ("calm", ""),
            ("b1", ""),
            ("+100", ""),
            ("c1", "wake at 400"),
            (
                "calm",
                "judge [5, 1, 1]; a is well; b is well; c is well; install 2; a5 in version 2; b1 in version 2; \
                 c1 in version 2",
            ),
            ("c2", "wake at 400"),
            ("calm", "judge [5, 1, 2]; c is well; install 3; c2 in version 3"),
        ],
    );
    walk_files(
        "it is not held for ever",
        &[
            ("a5", ""),
            ("calm", "judge [5, 0, 0]; fetch f; wake at 4000"),
            (
                "+4000",
                "judge [5, 0, 0]; a is refused; a5 refused; stands: not in time; keeping version 1; \
                 tell rejected: not in time; keeping version 1",
            ),
            ("c1", "wake at 4300"),
            (
                "calm",
                "judge [5, 0, 1]; a is well; c is well; none stands; install 2; c1 in version 2; a5 in version 2; tell a up",
            ),
        ],
    );
    walk_files(
        "a source that takes back what it brought is not waited for",
        &[
            ("a5", ""),
            ("calm", "judge [5, 0, 0]; fetch f; wake at 4000"),
            ("a6", "a5 superseded"),
            ("a1", "a6 superseded"),
            ("c1", ""),
            ("calm", "judge [1, 0, 1]; a is well; c is well; install 2; a1 in version 2; c1 in version 2"),
        ],
    );
}

#[test]
fn a_broken_file_does_not_hold_back_another() {
    const BAD: &str = "stands: bad; keeping version";
    walk_files(
        "what is not broken is in force, and what is, is told",
        &[
            ("a5", ""),
            ("calm", "judge [5, 0, 0]; fetch f; wake at 4000"),
            ("c1", ""),
            ("calm", "judge [5, 0, 1]; a is well; c is well; install 2; a5 in version 2; c1 in version 2"),
            ("c102", ""),
            (
                "calm",
                &format!(
                    "judge [5, 0, 102]; judge again [5, 0, 2]; c is well; install 3; c2 in version 3; c is refused; \
                     c102 refused; {BAD} 3; tell rejected: bad; keeping version 3"
                ),
            ),
            ("b1", ""),
            ("calm", "judge [5, 1, 102]; judge again [5, 1, 2]; b is well; install 4; b1 in version 4"),
            ("c3", ""),
            ("calm", "judge [5, 1, 3]; c is well; none stands; install 5; c3 in version 5; tell c up"),
        ],
    );
    walk_files(
        "where nothing else is new, it is refused as a whole",
        &[
            ("c102", ""),
            ("a11", ""),
            (
                "calm",
                &format!(
                    "judge [11, 0, 102]; judge again [11, 0, 2]; c is refused; c102 refused; a is refused; a11 refused; \
                     {BAD} 1; tell rejected: bad; keeping version 1"
                ),
            ),
            ("c100", ""),
            (
                "calm",
                &format!(
                    "judge [11, 0, 100]; judge again [0, 0, 100]; c is refused; c100 refused; {BAD} 1; tell rejected: bad; keeping version 1"
                ),
            ),
        ],
    );
}

#[test]
fn a_reload_is_answered_when_the_files_are_there() {
    walk_files(
        "which are asked once they are named",
        &[
            ("reload", "refresh; wake at 10000"),
            ("a5@", ""),
            ("b0@", "judge [5, 0, 0]; fetch f; wake at 4000"),
            (
                "c1",
                "judge [5, 0, 1]; a is well; b is well; c is well; install 2; a5 in version 2; b0 in version 2; \
                 c1 in version 2; answer 2",
            ),
        ],
    );
}
