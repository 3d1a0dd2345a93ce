//! How a server is reached: redirects, credentials, TLS, proxies.

use super::{Reply, Server, asked_again, ms, quick, reply, start};
use crate::support::{Dir, Small, drain, until};
use hotconf::remote::{Token, Transport};
use hotconf::{Hot, SourceExt, SourceState};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::WebPkiClientVerifier;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

const PASSWORD: &str = "hunter2";

#[test]
fn a_redirect_is_followed_on_the_same_server_with_credentials() {
    let server = Server::new("n = 2");
    server.script(|request| {
        let to = match request.target.as_str() {
            "/app.toml" => "/v1/app.toml",
            "/v1/app.toml" => "../v2/app.toml?x=1",
            _ => return None,
        };
        Some(reply(307, &format!("location: {to}\r\n"), "moved"))
    });
    let (config, _) = start(quick(&server.url("/app.toml")).bearer(PASSWORD));
    assert_eq!(config.load().n, 2);
    let log = server.log();
    let targets: Vec<_> = log.iter().take(3).map(|request| request.target.as_str()).collect();
    assert_eq!(targets, ["/app.toml", "/v1/app.toml", "/v2/app.toml?x=1"]);
    assert!(log.iter().all(|request| request.header("authorization") == Some("Bearer hunter2")));
    assert_eq!(server.connections(), 1);
}

#[test]
fn credentials_are_not_sent_to_another_server() {
    let (server, other) = (Server::new(""), Server::new("n = 2"));
    let location = format!("location: {}\r\n", other.url("/x.toml"));
    server.script(move |_| Some(reply(302, &location, "")));
    let source = quick(&server.url("/app.toml")).bearer(PASSWORD).header("X-Shop-Token", PASSWORD);
    let (config, _) = start(source);
    assert_eq!(config.load().n, 2);
    asked_again(&other, 3);
    assert_eq!(server.log()[0].header("x-shop-token"), Some(PASSWORD));
    assert_eq!(server.log()[0].header("authorization"), Some("Bearer hunter2"));
    for request in other.log() {
        assert_eq!((request.header("authorization"), request.header("x-shop-token")), (None, None));
    }
    assert_eq!((server.connections(), other.connections()), (1, 1), "both connections are kept");
}

#[test]
fn a_redirect_to_plain_text_is_refused() {
    let authority = Authority::new();
    let (secure, plain) = (Server::tls("", authority.server(&["127.0.0.1"])), Server::new("n = 2"));
    let location = format!("location: {}\r\n", plain.url("/app.toml"));
    secure.script(move |_| Some(reply(301, &location, "")));
    let source = quick(&secure.url("/app.toml")).transport(Transport::new().ca_pem(authority.pem()));
    let said = Hot::<Small>::builder().source(source).blocking_start().expect_err("no start").to_string();
    assert!(said.contains("not encrypted") && said.contains("301"), "{said}");
    assert!(plain.log().is_empty());
}

#[test]
fn a_token_from_a_file_is_read_at_each_use() {
    let (server, dir) = (Server::new("n = 2"), Dir::new());
    let file = dir.file("token", "first\n");
    let (config, mut events) = start(quick(&server.url("/app.toml")).bearer(Token::file(&file)));
    assert_eq!(server.log()[0].header("authorization"), Some("Bearer first"));
    // The first runs out, and something has put another in its place.
    server.script(|request| {
        (request.header("authorization") != Some("Bearer second")).then(|| reply(401, "", "expired"))
    });
    dir.file("token", "second\n");
    server.put("n = 3");
    until("the new one is used", || config.load().n == 3);
    let told = drain(&mut events, ms(50));
    assert!(told.len() <= 3, "{told:?}");
}

#[test]
fn tokens_come_from_callbacks_and_go_into_other_headers() {
    let server = Server::new("n = 2");
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = calls.clone();
    let token = Token::callback(move || Ok(format!("jwt-{}", counted.fetch_add(1, Ordering::SeqCst))));
    let (_config, _events) =
        start(quick(&server.url("/app.toml")).header("X-Token", token).basic("me", "p:w"));
    asked_again(&server, 2);
    let log = server.log();
    assert_eq!((log[0].header("x-token"), log[1].header("x-token")), (Some("jwt-0"), Some("jwt-1")));
    assert_eq!(log[0].header("authorization"), Some("Basic bWU6cDp3"));
}

#[test]
fn a_callback_that_hangs_is_called_once_and_holds_up_nobody() {
    let server = Server::new("n = 2");
    let (calls, open) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (counted, gate) = (calls.clone(), open.clone());
    let hanging = Token::callback(move || {
        counted.fetch_add(1, Ordering::Relaxed);
        while gate.load(Ordering::Relaxed) == 0 {
            std::thread::sleep(ms(5));
        }
        Ok(PASSWORD.into())
    });
    let source = quick(&server.url("/app.toml")).bearer(hanging).deadline(ms(30)).optional();
    let base = hotconf::Inline::toml("base", "n = 1");
    let config =
        Hot::<Small>::builder().source(base).source(source).blocking_start().expect("it is optional");
    until("it was tried again and again", || config.status().sources[1].retries >= 20);
    assert_eq!(calls.load(Ordering::Relaxed), 1);
    open.store(1, Ordering::Relaxed);
    until("it has answered", || config.load().n == 2);
}

#[test]
fn a_token_that_cannot_be_had_is_told_without_it() {
    let server = Server::new("n = 2");
    let tokens = [
        (Token::file("/nowhere/token"), "/nowhere/token cannot be read"),
        (Token::callback(|| Err("the vault is sealed".into())), "the vault is sealed"),
        (Token::callback(|| panic!("no token")), "panicked"),
        (Token::value("hunter2\r\nx: y"), "line break"),
        (Token::value(""), "empty"),
    ];
    for (token, words) in tokens {
        let failed =
            Hot::<Small>::builder().source(quick(&server.url("/app.toml")).bearer(token)).blocking_start();
        let said = failed.expect_err("no token").to_string();
        assert!(said.contains(words) && !said.contains(PASSWORD), "{said}");
    }
    assert!(server.log().is_empty());
}

#[test]
fn no_secret_is_in_anything_that_is_told() {
    let server = Server::new("n = 2");
    let url = server.url("/app.toml?key=hunter2");
    let transport = Transport::new().proxy("http://me:hunter2@127.0.0.1:9").no_proxy();
    let make = || {
        quick(&url)
            .bearer(PASSWORD)
            .header("x-key", PASSWORD)
            .basic("me", PASSWORD)
            .transport(transport.clone())
    };
    let mut told =
        vec![format!("{:?}", make()), format!("{transport:?}"), format!("{:?}", Token::value(PASSWORD))];
    let (config, mut events) = start(make());
    told.push(config.origin(Small::FIELDS.n).to_string());
    for status in [401, 403, 404, 429, 500, 302] {
        server.script(move |_| Some(reply(status, "location: /app.toml?key=hunter2\r\n", "hunter2")));
        told.extend(
            drain(&mut events, ms(60)).iter().flat_map(|event| [event.to_string(), format!("{event:?}")]),
        );
        // Denied credentials are tried slowly: somebody asks.
        told.push(format!("{:?}", config.blocking_reload()));
        told.push(format!("{:?}", config.status()));
    }
    assert!(told.iter().any(|said| said.contains("?…")), "{told:?}");
    for said in told {
        assert!(!said.contains(PASSWORD), "{said}");
    }
}

/// An authority that signs certificates.
struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(rcgen::DnType::CommonName, "authority of a test");
        Self(
            CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("a certificate"),
        )
    }

    fn pem(&self) -> String {
        self.0.pem()
    }

    /// A certificate and its key.
    fn sign(&self, params: CertificateParams) -> (rcgen::Certificate, KeyPair) {
        let key = KeyPair::generate().expect("a key");
        (params.signed_by(&key, &self.0).expect("a certificate"), key)
    }

    fn server(&self, names: &[&str]) -> ServerConfig {
        self.server_of(named(names), rustls::DEFAULT_VERSIONS, None)
    }

    fn server_of(
        &self,
        params: CertificateParams,
        versions: &[&'static rustls::SupportedProtocolVersion],
        clients_of: Option<&Authority>,
    ) -> ServerConfig {
        let (certificate, key) = self.sign(params);
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider.clone())
            .with_protocol_versions(versions)
            .expect("versions");
        let config = match clients_of {
            None => config.with_no_client_auth(),
            Some(authority) => {
                let mut roots = rustls::RootCertStore::empty();
                roots.add(authority.0.der().clone()).expect("an authority");
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
                config.with_client_cert_verifier(verifier.build().expect("a verifier"))
            }
        };
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        config.with_single_cert(vec![certificate.der().clone()], key).expect("a certificate and its key")
    }
}

/// What goes into a certificate for these names.
fn named(names: &[&str]) -> CertificateParams {
    CertificateParams::new(names.iter().map(ToString::to_string).collect::<Vec<_>>()).expect("names")
}

fn why_no_start(source: hotconf::Http) -> String {
    let failed = Hot::<Small>::builder().source(source).startup_deadline(ms(700)).blocking_start();
    failed.expect_err("no start").to_string()
}

#[test]
fn tls_is_spoken_with_an_authority_of_ones_own_and_with_no_other() {
    let authority = Authority::new();
    let server = Server::tls("n = 2", authority.server(&["127.0.0.1"]));
    let url = server.url("/app.toml");
    let with = |transport: Transport| quick(&url).transport(transport.no_proxy());
    let (config, _) = start(with(Transport::new().ca_pem(authority.pem())));
    assert_eq!(config.load().n, 2);
    asked_again(&server, 2);
    assert_eq!(server.connections(), 1);
    let said = why_no_start(with(Transport::new().ca_pem(Authority::new().pem())));
    assert!(said.contains("BadSignature") || said.contains("UnknownIssuer"), "{said}");
    let said = why_no_start(with(Transport::new()));
    assert!(said.contains("Transport::ca_file") || said.contains("trusts no certificates"), "{said}");
}

#[test]
fn a_certificate_for_another_name_and_a_server_without_tls_are_told_with_the_remedy() {
    let authority = Authority::new();
    let trust = || Transport::new().ca_pem(authority.pem());
    let server = Server::tls("n = 2", authority.server(&["elsewhere.example"]));
    let said = why_no_start(quick(&server.url("/app.toml")).transport(trust()));
    assert!(said.contains("not valid for name") && said.contains("elsewhere.example"), "{said}");
    let plain = Server::new("n = 2");
    let said = why_no_start(quick(&plain.url("/app.toml").replace("http", "https")).transport(trust()));
    assert!(said.contains("TLS"), "{said}");
}

#[test]
fn a_certificate_that_has_expired_is_told_with_the_remedy() {
    let authority = Authority::new();
    let mut params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).expect("a name");
    (params.not_before, params.not_after) =
        (rcgen::date_time_ymd(2000, 1, 1), rcgen::date_time_ymd(2001, 1, 1));
    let server = Server::tls("n = 2", authority.server_of(params, rustls::DEFAULT_VERSIONS, None));
    let transport = Transport::new().ca_pem(authority.pem());
    let said = why_no_start(quick(&server.url("/app.toml")).transport(transport));
    assert!(said.contains("certificate expired") && said.contains("renew"), "{said}");
}

#[test]
fn tls_1_2_is_spoken_on_request_alone() {
    let authority = Authority::new();
    let server =
        Server::tls("n = 2", authority.server_of(named(&["127.0.0.1"]), &[&rustls::version::TLS12], None));
    let trust = || Transport::new().ca_pem(authority.pem());
    let said = why_no_start(quick(&server.url("/app.toml")).transport(trust()));
    assert!(said.contains("Transport::tls12"), "{said}");
    let (config, _) = start(quick(&server.url("/app.toml")).transport(trust().tls12()));
    assert_eq!(config.load().n, 2);
}

#[test]
fn a_client_certificate_is_shown_and_its_lack_is_told_with_the_remedy() {
    let (authority, clients, dir) = (Authority::new(), Authority::new(), Dir::new());
    let config = authority.server_of(named(&["127.0.0.1"]), rustls::DEFAULT_VERSIONS, Some(&clients));
    let server = Server::tls("n = 2", config);
    let trust = || Transport::new().ca_pem(authority.pem());
    let said = why_no_start(quick(&server.url("/app.toml")).transport(trust()));
    assert!(said.contains("CertificateRequired") && said.contains("Transport::client_cert"), "{said}");
    let (certificate, key) = clients.sign(named(&["shop"]));
    let chain = dir.file("client.pem", &certificate.pem());
    let key = dir.file("client.key", &key.serialize_pem());
    let (config, _) = start(quick(&server.url("/app.toml")).transport(trust().client_cert(&chain, &key)));
    assert_eq!(config.load().n, 2);
}

#[test]
fn a_client_certificate_is_not_shown_to_another_server() {
    let (authority, clients) = (Authority::new(), Authority::new());
    let asks = || authority.server_of(named(&["127.0.0.1"]), rustls::DEFAULT_VERSIONS, Some(&clients));
    let (server, other) = (Server::tls("", asks()), Server::tls("n = 2", asks()));
    let location = format!("location: {}\r\n", other.url("/app.toml"));
    server.script(move |_| Some(reply(302, &location, "")));
    let (certificate, key) = clients.sign(named(&["shop"]));
    let transport = Transport::new().ca_pem(authority.pem());
    let transport = transport.client_cert_pem(certificate.pem(), key.serialize_pem());
    let said = why_no_start(quick(&server.url("/app.toml")).transport(transport));
    assert!(said.contains(&other.address().to_string()) && said.contains("CertificateRequired"), "{said}");
    assert!(other.log().is_empty() && !server.log().is_empty());
}

#[test]
fn certificates_that_are_rotated_on_both_sides_are_seen_without_a_restart() {
    let (old, new, dir) = (Authority::new(), Authority::new(), Dir::new());
    let ca = dir.file("ca.pem", &old.pem());
    let mut server = Server::tls("n = 2", old.server(&["127.0.0.1"]));
    let (config, _) = start(quick(&server.url("/app.toml")).transport(Transport::new().ca_file(&ca)));
    server.put("n = 3");
    until("it is followed", || config.load().n == 3);
    server.set_tls(new.server(&["127.0.0.1"]));
    until("the new certificate is not believed", || config.status().sources[0].state == SourceState::Stale);
    server.put("n = 4");
    dir.file("ca.pem", &new.pem());
    until("the new authority is", || config.load().n == 4);
}

#[test]
fn a_proxy_is_given_whole_addresses_and_opens_tunnels() {
    let authority = Authority::new();
    let (plain, secure) = (Server::new("n = 2"), Server::tls("n = 3", authority.server(&["127.0.0.1"])));
    let proxy = Server::new("n = 7");
    let to = secure.address();
    proxy.script(move |request| (request.method == "CONNECT").then_some(Reply::Tunnel(to)));
    let through = proxy.url("").replace("http://", "http://me:p%40ss@");
    let transport = || Transport::new().ca_pem(authority.pem()).proxy(&through);

    let (config, _) = start(quick(&plain.url("/app.toml")).transport(transport()));
    assert_eq!(config.load().n, 7);
    let asked = proxy.log().remove(0);
    assert_eq!(asked.target, plain.url("/app.toml"));
    assert_eq!(asked.header("host"), Some(plain.address().to_string().as_str()));
    assert_eq!(asked.header("proxy-authorization"), Some("Basic bWU6cEBzcw=="));
    drop(config);

    let before = proxy.log().len();
    let (config, _) = start(quick(&secure.url("/app.toml")).transport(transport()));
    assert_eq!(config.load().n, 3);
    let asked =
        proxy.log().into_iter().skip(before).find(|request| request.method == "CONNECT").expect("a tunnel");
    assert_eq!(asked.target, to.to_string());
    assert_eq!(asked.header("proxy-authorization"), Some("Basic bWU6cEBzcw=="));
    assert!(secure.log().iter().all(|request| request.header("proxy-authorization").is_none()));
}

#[test]
fn what_a_proxy_refuses_is_told() {
    let authority = Authority::new();
    let (secure, proxy) = (Server::tls("n = 3", authority.server(&["127.0.0.1"])), Server::new(""));
    let source = || {
        let transport = Transport::new().ca_pem(authority.pem()).proxy(&proxy.url(""));
        quick(&secure.url("/app.toml")).transport(transport)
    };
    for (status, words) in [(407, "asks who we are"), (403, "answered 403"), (502, "answered 502")] {
        proxy.script(move |_| Some(reply(status, "", "")));
        let said = why_no_start(source());
        assert!(said.contains(words) && said.contains(&proxy.url("")), "{said}");
    }
    let said = why_no_start(quick(&secure.url("/app.toml")).transport(Transport::new().proxy("socks5://x")));
    assert!(said.contains("socks5") && said.contains("HTTP proxies"), "{said}");
    assert!(secure.log().is_empty());
}

#[test]
fn a_name_that_does_not_exist_is_told() {
    let source = quick("http://nowhere.invalid/app.toml").transport(Transport::new().no_proxy());
    let failed =
        Hot::<Small>::builder().source(source).startup_deadline(Duration::from_secs(3)).blocking_start();
    let said = failed.expect_err("no start").to_string();
    assert!(said.contains("nowhere.invalid"), "{said}");
}
