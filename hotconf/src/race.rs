//! Two futures, of which the first to end wins: what `select!` would be without a macro crate.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;

/// Which of two futures ended.
pub(crate) enum Either<A, B> {
    First(A),
    Second(B),
}

/// Polls both, `first` before `second`; the other is dropped.
pub(crate) async fn race<A, B>(
    first: impl Future<Output = A>,
    second: impl Future<Output = B>,
) -> Either<A, B> {
    let (mut first, mut second) = (pin!(first), pin!(second));
    poll_fn(|cx| {
        if let Poll::Ready(a) = first.as_mut().poll(cx) {
            return Poll::Ready(Either::First(a));
        }
        second.as_mut().poll(cx).map(Either::Second)
    })
    .await
}
