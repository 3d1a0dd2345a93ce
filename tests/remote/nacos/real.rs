//! r-nacos, a server of the same protocol: found, started on loopback, written to.

use super::fake::{body, changed};
use crate::rig::{PATIENCE, Rig, lock};
use crate::servers::http::{must, request};
use crate::servers::process::Process;
use crate::servers::{command, free, or_left_out};
use hotconf::Nacos;
use hotconf::remote::Remote;
use hotconf::remote::nacos::NacosStore;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::sync::Mutex;
use std::time::{Duration, Instant};

pub(crate) struct Real {
    address: SocketAddr,
    process: Process,
    /// The keys of the document, and those of the copy that is kept.
    keys: Mutex<BTreeMap<String, String>>,
    older: Mutex<BTreeMap<String, String>>,
}

impl Real {
    pub(crate) fn start() -> Option<Self> {
        Self::with(&[])
    }

    /// With the user `shop`, whose logins are good for two seconds.
    pub(crate) fn guarded() -> Option<Self> {
        Self::with(&[
            ("RNACOS_ENABLE_OPEN_API_AUTH", "true"),
            ("RNACOS_INIT_ADMIN_USERNAME", "shop"),
            ("RNACOS_INIT_ADMIN_PASSWORD", "hunter2"),
            ("RNACOS_API_LOGIN_TIMEOUT", "2"),
        ])
    }

    fn with(settings: &'static [(&str, &str)]) -> Option<Self> {
        let program = or_left_out("nacos", command("nacos", "rnacos"))?;
        let [address, grpc, console] = free();
        let begin = move |_: &Path| {
            let mut command = Command::new(&program);
            command.envs([("RNACOS_SDK_HOST", "127.0.0.1"), ("RNACOS_CONSOLE_HOST", "127.0.0.1")]);
            command.envs([("RNACOS_DATA_DIR", "data"), ("RNACOS_CONFIG_DB_DIR", "data")]);
            command.env("RNACOS_HTTP_WORKERS", "1");
            for (name, at) in [("HTTP", address), ("GRPC", grpc), ("HTTP_CONSOLE", console)] {
                command.env(format!("RNACOS_{name}_PORT"), at.port().to_string());
            }
            command.envs(settings.iter().copied());
            command
        };
        // It answers, and says that it has written, before it keeps what is written.
        let ready = move || {
            let kind = [("content-type", "application/x-www-form-urlencoded")];
            let well = |method, path, form| {
                request(address, method, path, &kind, form).is_ok_and(|(status, _)| status == 200)
            };
            let known = "/nacos/v1/cs/configs?dataId=ready&group=DEFAULT_GROUP";
            well("POST", "/nacos/v1/auth/login", "username=shop&password=hunter2")
                && (!settings.is_empty()
                    || well("POST", "/nacos/v1/cs/configs", "dataId=ready&group=DEFAULT_GROUP&content=ready")
                        && well("GET", known, ""))
        };
        let process = Process::start("nacos", begin, ready);
        Some(Self { address, process, keys: Mutex::default(), older: Mutex::default() })
    }

    pub(crate) fn token(&self) -> String {
        let form = [("content-type", "application/x-www-form-urlencoded")];
        let said =
            must(self.address, "POST", "/nacos/v1/auth/login", &form, "username=shop&password=hunter2");
        let said: serde_json::Value = serde_json::from_str(&said).expect("JSON");
        said["accessToken"].as_str().expect("a token").to_owned()
    }
}

/// Puts the document of the suite, and waits until it is there: the server's answer is ahead of what it keeps.
pub(crate) fn publish(at: SocketAddr, text: &str, token: Option<&str>) {
    let coded = text.bytes().map(|byte| format!("%{byte:02X}")).collect::<Vec<_>>().concat();
    let form = format!("dataId=app.json&group=DEFAULT_GROUP&type=json&content={coded}");
    let bearer = token.map(|token| format!("Bearer {token}"));
    let mut headers = vec![("content-type", "application/x-www-form-urlencoded")];
    headers.extend(bearer.as_deref().map(|bearer| ("authorization", bearer)));
    let target = "/nacos/v1/cs/configs?dataId=app.json&group=DEFAULT_GROUP";
    let mut asked: Option<Instant> = None;
    let end = Instant::now() + PATIENCE;
    while !request(at, "GET", target, &headers, "").is_ok_and(|(_, found)| found == text) {
        // What was written while it began may be lost.
        if asked.is_none_or(|asked| asked.elapsed() > Duration::from_secs(1)) {
            must(at, "POST", "/nacos/v1/cs/configs", &headers, &form);
            asked = Some(Instant::now());
        }
        assert!(Instant::now() < end, "what was written is not there");
        std::thread::sleep(Duration::from_millis(1));
    }
}

impl Rig for Real {
    type Store = NacosStore;

    const NAME: &'static str = "nacos";
    const STEP: u64 = 53;

    fn address(&self) -> SocketAddr {
        self.address
    }

    fn source(&self, at: SocketAddr) -> Remote<NacosStore> {
        Nacos::new(&format!("http://{at}")).data("app.json")
    }

    fn place(&self, _: &str) -> String {
        "nacos DEFAULT_GROUP/app.json @ md5 ".to_owned()
    }

    fn change(&self, changes: &[(&str, Option<&str>)]) {
        let mut keys = lock(&self.keys);
        changed(&mut keys, changes);
        publish(self.address, &body(&keys), None);
    }

    fn kill(&self) {
        self.process.kill();
    }

    fn restart(&self) {
        self.process.restart();
    }

    fn freeze(&self) {
        self.process.freeze();
    }

    fn thaw(&self) {
        self.process.thaw();
    }

    fn keep(&self) {
        self.process.keep();
        lock(&self.older).clone_from(&lock(&self.keys));
    }

    fn restore(&self) {
        self.process.restore();
        lock(&self.keys).clone_from(&lock(&self.older));
    }
}
