//! Why a connection failed, for a person: the whole chain of causes, and what to do.

use std::error::Error;

/// All of what `error` and its causes say, and a remedy where there is a known one.
pub(crate) fn explain(error: &(dyn Error + 'static)) -> String {
    let mut said = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        // Many libraries repeat the cause in their own words.
        if !said.contains(&next) {
            said = format!("{said}: {next}");
        }
        cause = error.source();
    }
    match remedy(&said) {
        Some(remedy) => format!("{said}: {remedy}"),
        None => said,
    }
}

/// What to do, told by the words of rustls and of the system: types are lost on the way through the layers.
fn remedy(said: &str) -> Option<&'static str> {
    let known = [
        ("UnknownIssuer", "give the authority that signed it with `Transport::ca_file`"),
        ("not valid yet", "set this machine's clock"),
        (
            "BadSignature",
            "another authority of the same name signed it: give the right one with `Transport::ca_file`",
        ),
        ("CaUsedAsEndEntity", "the server shows the certificate of an authority, and needs one of its own"),
        ("not valid for name", "connect by a name that the certificate has"),
        ("certificate expired", "renew the server's certificate, or set this machine's clock"),
        (
            "CertificateRequired",
            "the server asks for a client certificate: give one with `Transport::client_cert`",
        ),
        ("UnknownCA", "the server does not know who signed our client certificate"),
        ("BadCertificate", "the server refuses our client certificate"),
        ("CertificateExpired", "our client certificate has expired"),
        ("ProtocolVersion", "the server has no TLS 1.3: allow 1.2 with `Transport::tls12`"),
        ("InvalidContentType", "the server does not speak TLS here: use `http://`, or another port"),
        ("InvalidMessage", "the server does not speak TLS here: use `http://`, or another port"),
        ("corrupt message", "the server does not speak TLS here: use `http://`, or another port"),
        ("Too many open files", "raise this process's limit (`ulimit -n`)"),
    ];
    known.iter().find(|(sign, _)| said.contains(sign)).map(|(_, remedy)| *remedy)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fmt;

    #[derive(Debug)]
    struct Outer(std::io::Error);

    impl fmt::Display for Outer {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("connection error")
        }
    }

    impl Error for Outer {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            Some(&self.0)
        }
    }

    #[test]
    fn the_whole_chain_is_told_with_a_remedy_and_nothing_twice() {
        let said = explain(&Outer(std::io::Error::other("received fatal alert: CertificateRequired")));
        assert!(said.starts_with("connection error: received fatal alert: CertificateRequired: "), "{said}");
        assert!(said.contains("Transport::client_cert"), "{said}");
        assert_eq!(explain(&std::io::Error::other("mute")), "mute");
    }
}
