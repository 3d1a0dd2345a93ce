//! The token: from a login or given to us, renewed, replaced before it ends, and forgotten where it is refused.

use super::super::net::Method;
use super::Login;
use super::client::{Pass, VaultSession};
use super::term::{Term, Then};
use super::wire::{self, Lent, Member};
use crate::source::{Context, SourceError};
use crate::sync::lock;
use std::sync::Arc;
use std::time::Duration;
use zeroize::Zeroizing;

impl VaultSession {
    /// The token that is good now: the one that is held, or that of a login.
    pub(super) async fn pass(&mut self, cx: &Context) -> Result<Option<Pass>, SourceError> {
        if matches!(self.settings.login, Login::Nobody) {
            return Ok(None);
        }
        let held = lock(&self.held).pass.clone();
        match held {
            Some(pass) if !pass.term.is_some_and(|term| term.is_over(cx.now())) => Ok(Some(pass)),
            _ => self.log_in(cx).await.map(Some),
        }
    }

    /// Gets a token, whatever is held.
    async fn log_in(&mut self, cx: &Context) -> Result<Pass, SourceError> {
        let settings = self.settings.clone();
        let (lent, own) = match &settings.login {
            Login::Nobody => return Err(SourceError::denied("there is nobody to log in as")),
            Login::Token(token) => (self.given(token.read(cx).await?, cx).await?, false),
            Login::AppRole(role, secret) => {
                let secret = secret.read(cx).await?;
                let members = [("role_id", Member::Text(role)), ("secret_id", Member::Text(&secret))];
                (self.login("approle", &members, &secret, cx).await?, true)
            }
            Login::Jwt(role, jwt) => {
                let jwt = jwt.read(cx).await?;
                let members = [("role", Member::Text(role)), ("jwt", Member::Text(&jwt))];
                (self.login("jwt", &members, &jwt, cx).await?, true)
            }
        };
        let term = Term::granted(lent.duration, lent.renewable, cx.now(), cx.random());
        let mut held = lock(&self.held);
        // A token that is read again and is the same is no other: what it asked for stays.
        let same = held.pass.as_ref().filter(|pass| *pass.token == lent.what).map(|pass| pass.number);
        if same.is_none() {
            held.passes += 1;
        }
        let number = same.unwrap_or(held.passes);
        let pass = Pass { token: Arc::new(lent.what), number, own, term };
        held.pass = Some(pass.clone());
        Ok(pass)
    }

    /// A token that was given to us, and for how long it is good, as far as that may be asked.
    async fn given(&mut self, token: Zeroizing<String>, cx: &Context) -> Result<Lent, SourceError> {
        let answer = self.call(Method::Get, "auth/token/lookup-self", Some(&token), b"", cx).await?;
        let (duration, renewable) = match answer.status {
            200 => {
                let told = Self::read(&answer, cx)?.token();
                (told.duration, told.renewable)
            }
            // The read itself tells whether it is the token that is refused, or the question.
            400..=499 => (Duration::ZERO, false),
            _ => return Err(self.refusal(&answer, "auth/token/lookup-self", &token, cx)),
        };
        Ok(Lent { what: token, duration, renewable })
    }

    async fn login(
        &mut self,
        usual: &str,
        members: &[(&str, Member<'_>)],
        secret: &str,
        cx: &Context,
    ) -> Result<Lent, SourceError> {
        let mount = self.settings.mount.as_deref().unwrap_or(usual);
        let target = format!("auth/{}/login", wire::path(mount).map_err(SourceError::invalid)?);
        let answer = self.call(Method::Post, &target, None, &wire::body(members), cx).await?;
        match answer.status {
            200 => Self::read(&answer, cx)?.login().ok_or_else(|| {
                SourceError::invalid(format!("{} answered a login without a token", self.server))
            }),
            // A secret id that is wrong is a bad request to it.
            400..=499 if answer.status != 429 => {
                let said = Self::complaint(&answer, secret, cx);
                let status = answer.status;
                let remedy = "check the role and its secret";
                Err(SourceError::denied(format!(
                    "the login at {target} was answered {status}{said}: {remedy}"
                )))
            }
            _ => Err(self.refusal(&answer, &target, secret, cx)),
        }
    }

    /// Renews the token, or gets another.
    pub(super) async fn keep_pass(
        &mut self,
        pass: &Pass,
        term: Term,
        cx: &Context,
    ) -> Result<Pass, SourceError> {
        if term.then == Then::Renew {
            let increment = format!("{}s", term.asked.as_secs());
            let body = wire::body(&[("increment", Member::Text(&increment))]);
            let target = "auth/token/renew-self";
            let answer = self.call(Method::Post, target, Some(&pass.token), &body, cx).await?;
            match answer.status {
                200 => {
                    let lent = Self::read(&answer, cx)?.login();
                    let lent = lent.map_or((Duration::ZERO, false), |lent| (lent.duration, lent.renewable));
                    let term = term.renewed(lent.0, lent.1, cx.now(), cx.random());
                    let pass = Pass { term: Some(term), ..pass.clone() };
                    lock(&self.held).pass = Some(pass.clone());
                    return Ok(pass);
                }
                400..=499 if answer.status != 429 => {}
                _ => return Err(self.refusal(&answer, target, &pass.token, cx)),
            }
        }
        let fresh = self.log_in(cx).await?;
        if fresh.number == pass.number && !fresh.own {
            cx.warn("its token cannot be renewed any further, and no other is there: give it a new one before it ends");
        }
        Ok(fresh)
    }

    /// The token was refused: it is forgotten, and given back where nothing hangs on it, so that slow attempts do not
    /// leave one behind each.
    pub(super) async fn forget(&mut self, pass: &Pass, cx: &Context) {
        let alone = {
            let mut held = lock(&self.held);
            if held.pass.as_ref().is_some_and(|held| held.number == pass.number) {
                held.pass = None;
            }
            held.lease.as_ref().is_none_or(|lease| lease.pass != pass.number)
        };
        if alone && pass.own {
            // Where it was the token that was refused, there is nothing to give back.
            let _ = self.call(Method::Post, "auth/token/revoke-self", Some(&pass.token), b"", cx).await;
        }
    }
}
