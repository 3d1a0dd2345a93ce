//! Save styles of editors and tools against the real file system and the real watcher.
//!
//! Wall time: what is tested is what the kernel says and when.

use super::fake::{Bell, TempDir, context};
use super::{File, SecretsDir};
use crate::engine::watcher::Watcher;
use crate::source::{
    BoxFuture, Content, Inbox, Services, Source, SourceError, Update, WatchFailure, Watching,
};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Context as Task, Poll, Waker};
use std::time::{Duration, Instant};

/// The system's clock and the real watcher; the thread that polls sleeps until the next deadline.
struct Real {
    start: Instant,
    watcher: Arc<Watcher>,
    deadline: Arc<Mutex<Option<Instant>>>,
}

impl Services for Real {
    fn now(&self) -> Instant {
        Instant::now()
    }

    fn sleep_until(&self, at: Instant) -> BoxFuture<'static, ()> {
        let deadline = self.deadline.clone();
        Box::pin(std::future::poll_fn(move |_| {
            if Instant::now() >= at {
                return Poll::Ready(());
            }
            let mut next = deadline.lock().unwrap();
            *next = Some(next.map_or(at, |next| next.min(at)));
            Poll::Pending
        }))
    }

    fn watch(&self, paths: &[PathBuf], inbox: &Arc<Inbox>) -> (Watching, Vec<WatchFailure>) {
        self.watcher.watch(paths, inbox)
    }

    fn catch_up(&self) {
        self.watcher.catch_up();
    }

    fn offload(&self, work: Box<dyn FnOnce() + Send>) -> BoxFuture<'static, ()> {
        work();
        Box::pin(std::future::ready(()))
    }

    fn next_poll(&self, every: Duration) -> Instant {
        let beats = self.start.elapsed().as_nanos() / every.as_nanos() + 1;
        self.start + every * u32::try_from(beats).unwrap()
    }
}

type Answer = (Instant, Result<Update, SourceError>);

/// A source that is followed on a thread of its own.
struct Run {
    answers: mpsc::Receiver<Answer>,
    stop: Arc<AtomicBool>,
    bell: Arc<Bell>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Run {
    fn of(source: impl Source, poll: Duration) -> Self {
        let deadline = Arc::new(Mutex::new(None));
        let services = Real { start: Instant::now(), watcher: Watcher::new(), deadline: deadline.clone() };
        let (cx, _) = context(Arc::new(services), poll);
        let (told, answers) = mpsc::channel();
        let (stop, bell) = (Arc::new(AtomicBool::new(false)), Arc::new(Bell::default()));
        let (ends, rings) = (stop.clone(), bell.clone());
        let mut source = source;
        let thread = std::thread::spawn(move || {
            let waker = Waker::from(rings.clone());
            while !ends.load(Ordering::Acquire) {
                let mut next = source.next(&cx);
                let answer = loop {
                    *deadline.lock().unwrap() = None;
                    match next.as_mut().poll(&mut Task::from_waker(&waker)) {
                        Poll::Ready(answer) => break answer,
                        Poll::Pending if ends.load(Ordering::Acquire) => return,
                        Poll::Pending => {}
                    }
                    let wake = *deadline.lock().unwrap();
                    let until = wake
                        .map_or(Duration::from_secs(60), |at| at.saturating_duration_since(Instant::now()));
                    rings.wait(until);
                };
                let _ = told.send((Instant::now(), answer));
            }
        });
        Self { answers, stop, bell, thread: Some(thread) }
    }

    fn file(path: &Path) -> Self {
        let run = Self::of(File::new(path), Duration::from_secs(2));
        run.first();
        run
    }

    fn first(&self) -> String {
        text(&self.answers.recv_timeout(Duration::from_secs(5)).expect("the first answer comes at once").1)
    }

    /// What is told until nothing more comes: at most `first` for the first, then half a second.
    fn told(&self, first: Duration) -> Vec<String> {
        let mut all = Vec::new();
        let mut wait = first;
        while let Ok((_, answer)) = self.answers.recv_timeout(wait) {
            all.push(text(&answer));
            wait = Duration::from_millis(500);
        }
        all
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        std::task::Wake::wake(self.bell.clone());
        self.thread.take().unwrap().join().unwrap();
    }
}

fn text(answer: &Result<Update, SourceError>) -> String {
    match answer {
        Ok(update) => match &update.content {
            Content::Documents(docs) => {
                docs.iter().map(|part| part.doc.text()).collect::<Vec<_>>().join("---\n")
            }
            Content::Absent => "absent".to_owned(),
        },
        Err(error) => format!("{:?}: {error}", error.kind()),
    }
}

/// A document of 6 KB whose first and last line must agree.
fn document(version: u32) -> String {
    use std::fmt::Write;
    let mut text = format!("first = {version}\n");
    for i in 0..200 {
        writeln!(text, "filler_{i} = \"{version} and some text\"").unwrap();
    }
    writeln!(text, "last = {version}").unwrap();
    text
}

fn sh(dir: &Path, script: &str) -> bool {
    let done = std::process::Command::new("bash")
        .args(["-ec", script])
        .current_dir(dir)
        .env("HOME", dir)
        .output()
        .unwrap();
    if !done.status.success() {
        eprintln!("{script}: {}", String::from_utf8_lossy(&done.stderr));
    }
    done.status.success()
}

fn has(tool: &str) -> bool {
    std::process::Command::new("sh")
        .args(["-c", &format!("command -v {tool}")])
        .output()
        .unwrap()
        .status
        .success()
}

/// Runs a save of `d/f.toml` from version 1 to 2 (which lies in `new`), and says what is wrong with it.
fn judge(setup: &str, save: &str, within: Duration) -> Result<(), String> {
    let dir = TempDir::new();
    let root = dir.path();
    std::fs::create_dir(root.join("d")).unwrap();
    std::fs::write(root.join("old"), document(1)).unwrap();
    std::fs::write(root.join("new"), document(2)).unwrap();
    std::fs::write(root.join("d/f.toml"), document(1)).unwrap();
    if !sh(root, setup) {
        return Err("the setup failed".into());
    }
    let run = Run::file(&root.join("d/f.toml"));
    for round in 0..2 {
        if round == 1 {
            // The watch must have survived the first save.
            sh(root, "cp new keep; cp old new; mv keep old");
        }
        let expected = std::fs::read_to_string(root.join("new")).unwrap();
        if !sh(root, save) {
            return Err("the save failed".into());
        }
        let saved = Instant::now();
        let told = run.told(within);
        if root.join("late").exists() {
            return Err(LATE.into());
        }
        if told.iter().any(|text| *text != expected) {
            let heads: Vec<_> = told.iter().map(|text| &text[..text.len().min(90)]).collect();
            return Err(format!("round {round}: torn, stale or refused: {heads:?}"));
        }
        if told.len() != 1 {
            return Err(format!("round {round}: told {} times, {:?}", told.len(), saved.elapsed()));
        }
    }
    Ok(())
}

/// The save was not made at the pace of its style: that says nothing.
const LATE: &str = "the machine was too slow";

const EVENT: Duration = Duration::from_millis(800);
const SILENT: Duration = Duration::from_millis(3200);

#[test]
fn every_save_style_is_told_once_and_whole() {
    // Wall time: the kernel's events are what is tested.
    let kubelet = "mkdir -p v/..1; cp d/f.toml v/..1/f.toml; ln -s ..1 v/..data; ln -s ..data/f.toml v/f.toml; rm -r d; ln -s v d";
    let swap = "n=..$(date +%s%N); mkdir v/$n; cp new v/$n/f.toml; o=$(readlink v/..data); ln -s $n v/..data_tmp; mv -T v/..data_tmp v/..data; rm -r v/$o";
    let python =
        |code: &str| format!("python3 -c '\nimport os,time,mmap,ctypes\nnew=open(\"new\").read()\n{code}'");
    let chunks = python(
        "f=open(\"d/f.toml\",\"w\")\nfor i in range(4):\n f.write(new[i*len(new)//4:(i+1)*len(new)//4]); f.flush(); time.sleep(.03)\nf.close()",
    );
    // Each part is closed: only the pace tells that more follows. A machine that cannot keep it says so.
    let appended = python(
        "open(\"d/f.toml\",\"w\").close(); last=time.monotonic()\nfor i in range(4):\n if time.monotonic()-last > .01: open(\"late\",\"w\")\n f=open(\"d/f.toml\",\"a\"); f.write(new[i*len(new)//4:(i+1)*len(new)//4]); f.close(); last=time.monotonic()",
    );
    let exchange = python(
        "open(\"d/.x\",\"w\").write(new)\nctypes.CDLL(None).renameat2(-100,b\"d/.x\",-100,b\"d/f.toml\",2)",
    );
    let mapped = python(
        "f=open(\"d/f.toml\",\"r+b\")\nm=mmap.mmap(f.fileno(),0)\nm[:]=new.encode()\nm.flush()\nm.close()\nf.close()",
    );
    let styles: Vec<(&str, &str, &str, String, Duration)> = vec![
        ("rename", "", "", "cp new d/.t; mv d/.t d/f.toml".into(), EVENT),
        ("in place", "", "", "cat new > d/f.toml".into(), EVENT),
        ("cp over", "", "", "cp new d/f.toml".into(), EVENT),
        ("other file system", "", "", "t=$(mktemp -p /dev/shm); cp new $t; mv $t d/f.toml".into(), EVENT),
        ("sed -i", "sed", "", "v=$(sed -n '1s/.*= //p' new); sed -i -E \"s/^(first|last) = .*/\\1 = $v/; s/\\\"[0-9]+ and/\\\"$v and/\" d/f.toml".into(), EVENT),
        ("vim", "vim", "", "vim -u NONE -es -c 'set backupskip= writebackup' -c '%!cat new' -c 'wq' d/f.toml".into(), EVENT),
        ("vim backupcopy=yes", "vim", "", "vim -u NONE -es -c 'set backupskip= writebackup backupcopy=yes' -c '%!cat new' -c 'wq' d/f.toml".into(), EVENT),
        ("vim backupcopy=no", "vim", "", "vim -u NONE -es -c 'set backupskip= writebackup backupcopy=no' -c '%!cat new' -c 'wq' d/f.toml".into(), EVENT),
        ("rsync", "rsync", "", "rsync -I new d/f.toml".into(), EVENT),
        ("rsync --inplace", "rsync", "", "rsync -I --inplace new d/f.toml".into(), EVENT),
        ("install", "", "", "install -m 644 new d/f.toml".into(), EVENT),
        ("tar", "tar", "", "mkdir -p x; cp new x/f.toml; tar cf x.tar -C x f.toml; tar xf x.tar -C d".into(), EVENT),
        ("git checkout", "git", "cd d; git init -q; git config user.email a@b; git config user.name a; git add .; git commit -qm 1; git branch one; cp ../new f.toml; git commit -qam 2; git branch two; git checkout -q one",
            "cd d; if [ $(git rev-parse HEAD) = $(git rev-parse one) ]; then git checkout -q two; else git checkout -q one; fi".into(), EVENT),
        ("rm and recreate", "", "", "rm d/f.toml; sleep .1; cat new > d/f.toml".into(), EVENT),
        ("truncate and append", "python3", "", appended, EVENT),
        ("kubelet", "", kubelet, swap.into(), EVENT),
        ("link retargeted", "", "mkdir t; mv d/f.toml t/a; ln -s ../t/a d/f.toml", "n=$(date +%s%N); cp new t/$n; ln -sfn ../t/$n d/f.toml".into(), EVENT),
        ("link unlinked and made", "", "mkdir t; mv d/f.toml t/a; ln -s ../t/a d/f.toml", "n=$(date +%s%N); cp new t/$n; rm d/f.toml; ln -s ../t/$n d/f.toml".into(), EVENT),
        ("link's target in place", "", "mkdir t; mv d/f.toml t/a; ln -s ../t/a d/f.toml", "cat new > t/a".into(), EVENT),
        ("linked directory swapped", "", "mv d r1; ln -s r1 d", "n=r$(date +%s%N); mkdir $n; cp new $n/f.toml; ln -s $n d.t; mv -T d.t d".into(), EVENT),
        ("directory replaced", "", "", "mkdir e; cp new e/f.toml; mv d d.old; mv e d; rm -r d.old".into(), EVENT),
        ("directory removed and made", "", "", "rm -r d; mkdir d; cat new > d/f.toml".into(), EVENT),
        ("directory away and back", "", "", "mv d e; cat new > e/f.toml; mv e d".into(), EVENT),
        ("hard link elsewhere", "", "mkdir h; ln d/f.toml h/f", "cat new > h/f".into(), EVENT),
        ("hard linked into place", "", "", "cp new n1; rm d/f.toml; ln n1 d/f.toml".into(), EVENT),
        ("chunks", "python3", "", chunks, EVENT),
        ("exchange", "python3", "", exchange, EVENT),
        ("mmap", "python3", "", mapped, EVENT),
        ("time put back", "", "", "touch -r d/f.toml ref; cat new > d/f.toml; touch -r ref d/f.toml".into(), EVENT),
        ("grandparent replaced", "", "mkdir -p g1/a/b g2/a/b; mv d/f.toml g1/a/b; rmdir d; ln -s g/a/b d; mv g1 g",
            "rm -rf g3; mkdir -p g3/a/b; cp new g3/a/b/f.toml; mv g g4; mv g3 g; rm -r g4".into(), SILENT),
    ];
    let queue = Mutex::new(styles.into_iter());
    let wrong = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while let Some((name, tool, setup, save, within)) = { queue.lock().unwrap().next() } {
                    if !tool.is_empty() && !has(tool) {
                        continue;
                    }
                    let mut tries = (0..5).map(|_| judge(setup, &save, within));
                    if let Some(Err(why)) = tries.find(|done| *done != Err(LATE.into())) {
                        wrong.lock().unwrap().push(format!("{name}: {why}"));
                    }
                }
            });
        }
    });
    let wrong = wrong.into_inner().unwrap();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_save_that_changes_nothing_is_not_told() {
    // Wall time: the kernel's events are what is tested.
    let dir = TempDir::new();
    let path = dir.path().join("f.toml");
    std::fs::write(&path, document(1)).unwrap();
    let run = Run::file(&path);
    for save in
        ["touch f.toml", "chmod 600 f.toml", "cp f.toml t; mv t f.toml", "cp f.toml t; cat t > f.toml"]
    {
        assert!(sh(dir.path(), save));
        assert_eq!(run.told(Duration::from_millis(300)), [""; 0], "{save}");
    }
}

#[test]
fn constant_saves_are_seen_within_the_ceiling_and_never_torn() {
    // Wall time: a writer that never rests is what is tested.
    let dir = TempDir::new();
    let path = dir.path().join("f.toml");
    std::fs::write(&path, document(0)).unwrap();
    let run = Run::file(&path);
    for version in 1..=200 {
        std::fs::write(&path, document(version)).unwrap();
        std::thread::sleep(Duration::from_millis(10));
    }
    let told = run.told(EVENT);
    assert!((4..=40).contains(&told.len()), "told {} times", told.len());
    for text in &told {
        let version = text.lines().next().unwrap().trim_start_matches("first = ");
        assert!(
            version.parse().is_ok_and(|version| document(version) == *text),
            "torn: {:?}",
            &text[..text.len().min(200)]
        );
    }
    assert_eq!(*told.last().unwrap(), document(200));
}

#[test]
fn trouble_is_told_once_and_the_way_back_too() {
    // Wall time: the promise is one second.
    let dir = TempDir::new();
    let path = dir.path().join("f.toml");
    std::fs::write(&path, document(1)).unwrap();
    let run = Run::file(&path);
    let second = Duration::from_millis(1300);
    for (spoil, word) in [
        ("rm f.toml", "does not exist"),
        ("rm -f f.toml; mkfifo f.toml", "a FIFO"),
        ("rm f.toml; mkdir f.toml", "a directory"),
        ("rm -r f.toml; ln -s f.toml f.toml", "loop of links"),
        ("rm f.toml; : > f.toml", "is empty"),
        ("echo 'x = = 1' > f.toml", "Invalid"),
    ] {
        assert!(sh(dir.path(), spoil));
        let told = run.told(second);
        assert_eq!(told.len(), 1, "{spoil}: {told:?}");
        assert!(told[0].contains(word), "{spoil}: {told:?}");
    }
    std::fs::write(&path, document(1)).unwrap();
    assert_eq!(run.told(second), [document(1)], "the old bytes are healthy again");
}

#[test]
fn fragments_that_come_change_and_go_are_followed() {
    // Wall time: the kernel's events are what is tested.
    let dir = TempDir::new();
    let conf = dir.path().join("conf.d");
    std::fs::create_dir(&conf).unwrap();
    std::fs::write(conf.join("20.toml"), "b = 1\n").unwrap();
    let run = Run::of(File::new(&conf), Duration::from_secs(2));
    assert_eq!(run.first(), "b = 1\n");
    std::fs::write(conf.join("10.toml"), "a = 1\n").unwrap();
    std::fs::write(conf.join("note.txt"), "x").unwrap();
    assert_eq!(run.told(EVENT), ["a = 1\n---\nb = 1\n"]);
    assert!(sh(&conf, "echo 'b = 2' > t; mv t 20.toml; echo 'a = 2' > 10.toml"));
    assert_eq!(run.told(EVENT), ["a = 2\n---\nb = 2\n"]);
    std::fs::remove_file(conf.join("10.toml")).unwrap();
    assert_eq!(run.told(Duration::from_millis(700)), [""; 0], "a fragment is gone only after a second");
    assert_eq!(run.told(EVENT), ["b = 2\n"]);
}

#[test]
fn a_search_path_moves_to_the_better_file() {
    // Wall time: the kernel's events are what is tested.
    let dir = TempDir::new();
    let (best, other) = (dir.path().join("x/best.toml"), dir.path().join("other.toml"));
    std::fs::write(&other, "v = 1\n").unwrap();
    let run = Run::of(File::search([&best, &other]), Duration::from_secs(2));
    assert_eq!(run.first(), "v = 1\n");
    std::fs::create_dir(dir.path().join("x")).unwrap();
    std::fs::write(&best, "v = 2\n").unwrap();
    assert_eq!(run.told(EVENT), ["v = 2\n"]);
    std::fs::remove_file(&best).unwrap();
    assert_eq!(run.told(Duration::from_millis(1300)), ["v = 1\n"]);
}

#[test]
fn secrets_are_read_by_name_from_one_generation() {
    // Wall time: the kernel's events are what is tested.
    let dir = TempDir::new();
    assert!(sh(
        dir.path(),
        "mkdir ..1; printf 'a\\n' > ..1/db__password; printf b > ..1/key; ln -s ..1 ..data; ln -s ..data/db__password db__password; ln -s ..data/key key"
    ));
    let run = Run::of(SecretsDir::new(dir.path()), Duration::from_secs(2));
    run.first();
    assert!(sh(
        dir.path(),
        "mkdir ..2; printf c > ..2/db__password; printf d > ..2/key; ln -s ..2 t; mv -T t ..data; rm -r ..1"
    ));
    let (_, answer) = run.answers.recv_timeout(EVENT).expect("a swap is told");
    let Content::Documents(docs) = answer.unwrap().content else { panic!("documents") };
    let doc = &docs[0].doc;
    let strings: Vec<_> =
        (0..doc.end(0)).filter(|&n| doc.kind(n) == crate::value::Kind::Text).map(|n| doc.str(n)).collect();
    assert_eq!(strings, ["c", "d"]);
    assert_eq!(run.told(EVENT), [""; 0]);
}
