//! A WebSocket within TLS.

use crate::rig::{PATIENCE, Watched, among_others, brisk};
use hotconf::WebSocket;
use hotconf::remote::Transport;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use std::net::TcpListener;
use std::sync::Arc;
use tokio_tungstenite::tungstenite::{Message, accept};

#[test]
fn messages_come_through_tls_and_only_from_whom_is_trusted() {
    let _beside = among_others();
    let mut params = CertificateParams::new(Vec::new()).expect("no names");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().expect("a key");
    let ca = params.self_signed(&key).expect("a certificate").pem();
    let own = KeyPair::generate().expect("a key");
    let params_of = CertificateParams::new(vec!["127.0.0.1".to_owned()]).expect("an address");
    let certificate = params_of.signed_by(&own, &Issuer::new(params, &key)).expect("a certificate");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], PrivateKeyDer::Pkcs8(own.serialize_der().into()))
        .expect("a certificate with its key");
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("wss://{}/app.toml", listener.local_addr().expect("bound"));
    let serving = std::thread::spawn(move || {
        // The first, however often it comes, does not trust us.
        loop {
            let (stream, _) = listener.accept().expect("accepts");
            let tls = ServerConnection::new(config.clone()).expect("a connection");
            let Ok(mut socket) = accept(StreamOwned::new(tls, stream)) else { continue };
            let document = format!("a = 1\npad = \"{}\"", "x".repeat(100_000));
            socket.send(Message::text(document)).expect("sent");
            socket.send(Message::text("a = 2")).expect("sent");
            while socket.read().is_ok() {}
            return;
        }
    });
    let source = || brisk(WebSocket::new(&url)).deadline(PATIENCE);
    let stranger = source().transport(Transport::new().ca_pem(
        CertificateParams::new(Vec::new()).unwrap().self_signed(&KeyPair::generate().unwrap()).unwrap().pem(),
    ));
    let watched = hotconf::Hot::<crate::rig::App>::builder()
        .source(hotconf::Inline::toml("below", "text = \"\""))
        .source(stranger)
        .startup_deadline(std::time::Duration::from_millis(50))
        .blocking_start();
    assert!(watched.is_err(), "a certificate of another");
    let watched =
        Watched::start(source().transport(Transport::new().ca_pem(ca)).resync(std::time::Duration::ZERO));
    watched.until("the second document", |app| app.a == 2);
    watched.end();
    serving.join().expect("no panic");
}
