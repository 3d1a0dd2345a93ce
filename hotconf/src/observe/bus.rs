//! Who hears the story: bounded queues, and a lag is told and never silent.

use super::event::Event;
use crate::error::Error;
use crate::subscribe::blocking::{self, Wait};
use crate::subscribe::contained;
use crate::sync::lock;
use futures_core::Stream;
use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// Hands each event to every reader and every listener.
pub(crate) struct Bus {
    capacity: usize,
    readers: Mutex<Readers>,
    listeners: Vec<Arc<Listener>>,
}

#[derive(Default)]
struct Readers {
    queues: Vec<Weak<Queue>>,
    closed: bool,
}

/// A closure of `Builder::on_event`, and what it has not heard yet.
pub(crate) struct Listener {
    call: Box<dyn Fn(&Event) + Send + Sync>,
    inbox: Mutex<(VecDeque<Event>, u64, bool)>,
    /// A panic of it was reported. Once: the report is an event, at which it would panic again.
    reported: AtomicBool,
}

impl Listener {
    pub(crate) fn new(call: Box<dyn Fn(&Event) + Send + Sync>) -> Arc<Self> {
        Arc::new(Self { call, inbox: Mutex::default(), reported: AtomicBool::new(false) })
    }

    /// Puts an event in its inbox; says whether a run is to be arranged.
    fn offer(&self, event: &Event, capacity: usize) -> bool {
        let mut inbox = lock(&self.inbox);
        let (queue, lagged, running) = &mut *inbox;
        if queue.len() >= capacity {
            queue.pop_front();
            *lagged += 1;
        }
        queue.push_back(event.clone());
        !std::mem::replace(running, true)
    }

    /// Tells all there is, one after the other; runs on a worker. `panicked` hears of the first panic.
    pub(crate) fn drain(&self, panicked: impl Fn(String)) {
        loop {
            let event = {
                let mut inbox = lock(&self.inbox);
                let (queue, lagged, running) = &mut *inbox;
                if *lagged > 0 {
                    Event::Lagged(std::mem::take(lagged))
                } else if let Some(event) = queue.pop_front() {
                    event
                } else {
                    *running = false;
                    return;
                }
            };
            // A panic of one event must not take the others away.
            if let Err(message) = contained(|| (self.call)(&event))
                && !self.reported.swap(true, Ordering::Relaxed)
            {
                panicked(message);
            }
        }
    }
}

impl Bus {
    pub(crate) fn new(capacity: usize, listeners: Vec<Arc<Listener>>) -> Self {
        Self { capacity, readers: Mutex::default(), listeners }
    }

    /// Tells every reader; returns the listeners that have to be [drained](Listener::drain). After the
    /// end nobody is told.
    pub(crate) fn tell(&self, event: &Event) -> Vec<Arc<Listener>> {
        let queues: Vec<Arc<Queue>> = {
            let mut readers = lock(&self.readers);
            if readers.closed {
                return Vec::new();
            }
            readers.queues.retain(|q| q.strong_count() > 0);
            readers.queues.iter().filter_map(Weak::upgrade).collect()
        };
        for queue in queues {
            queue.push(event.clone(), self.capacity);
        }
        self.listeners.iter().filter(|l| l.offer(event, self.capacity)).cloned().collect()
    }

    /// A reader of all that is told from now on.
    pub(crate) fn subscribe(&self) -> Events {
        let queue = Arc::new(Queue::default());
        let mut readers = lock(&self.readers);
        lock(&queue.state).closed = readers.closed;
        readers.queues.push(Arc::downgrade(&queue));
        Events { queue }
    }

    /// Ends every reader once it has read what is there.
    pub(crate) fn close(&self) {
        let queues = {
            let mut readers = lock(&self.readers);
            readers.closed = true;
            std::mem::take(&mut readers.queues)
        };
        for queue in queues.iter().filter_map(Weak::upgrade) {
            let waker = {
                let mut state = lock(&queue.state);
                state.closed = true;
                state.waker.take()
            };
            if let Some(waker) = waker {
                let _ = contained(|| waker.wake());
            }
        }
    }
}

#[derive(Default)]
struct Queue {
    state: Mutex<QueueState>,
}

#[derive(Default)]
struct QueueState {
    events: VecDeque<Event>,
    lagged: u64,
    closed: bool,
    waker: Option<Waker>,
}

impl Queue {
    fn push(&self, event: Event, capacity: usize) {
        let waker = {
            let mut state = lock(&self.state);
            if state.events.len() >= capacity {
                state.events.pop_front();
                state.lagged += 1;
            }
            state.events.push_back(event);
            state.waker.take()
        };
        if let Some(waker) = waker {
            let _ = contained(|| waker.wake());
        }
    }

    fn poll(&self, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        let mut state = lock(&self.state);
        if state.lagged > 0 {
            return Poll::Ready(Some(Event::Lagged(std::mem::take(&mut state.lagged))));
        }
        if let Some(event) = state.events.pop_front() {
            return Poll::Ready(Some(event));
        }
        if state.closed {
            return Poll::Ready(None);
        }
        state.waker = Some(cx.waker().clone());
        Poll::Pending
    }
}

/// The events of one configuration, in order, from the moment of the call on.
///
/// The queue holds 1 024 events by default. A reader that is slower loses the oldest and gets
/// [`Event::Lagged`] with their number. It ends after shutdown, and keeps no engine alive.
///
/// ```
/// use hotconf::{Event, Format, Hot, HotConf, Inline};
///
/// # #[derive(Clone, Debug, HotConf)]
/// # struct App {
/// #     #[hotconf(default = 3, range = "1..=10")]
/// #     retries: u32,
/// # }
/// let (source, text) = Inline::channel("app", Format::Toml, "retries = 4");
/// let config = Hot::<App>::builder().source(source).blocking_start()?;
/// let mut events = config.events();
/// text.set("retries = 5");
/// let Some(Event::Applied(applied)) = events.blocking_next()? else { panic!("it is accepted") };
/// assert_eq!(applied.changes()[0].to_string(), "retries: 4 -> 5 (app:1:11)");
/// text.set("retries = 50");
/// assert!(matches!(events.blocking_next()?, Some(Event::Rejected(error)) if error.is_invalid()));
/// # Ok::<(), hotconf::Error>(())
/// ```
pub struct Events {
    queue: Arc<Queue>,
}

impl Events {
    /// The events of a value that never changes: none.
    pub(crate) fn ended() -> Self {
        let queue = Arc::new(Queue::default());
        lock(&queue.state).closed = true;
        Self { queue }
    }

    /// Waits for the next event; `None` after the configuration was shut down.
    ///
    /// # Cancel safety
    ///
    /// A dropped future loses no event.
    pub async fn next(&mut self) -> Option<Event> {
        std::future::poll_fn(|cx| self.queue.poll(cx)).await
    }

    /// Blocks this thread until the next event; `None` after shutdown.
    ///
    /// # Errors
    ///
    /// [`Error::is_usage`] inside an async task, where it would block the runtime.
    pub fn blocking_next(&mut self) -> Result<Option<Event>, Error> {
        blocking::refuse_in_async()?;
        match blocking::wait(std::future::poll_fn(|cx| self.queue.poll(cx)), None) {
            Wait::Done(event) => Ok(event),
            Wait::TimedOut => Ok(None),
        }
    }

    /// Blocks this thread until the next event, or until `timeout` is over: then the outer `Option`
    /// is `None`.
    ///
    /// # Errors
    ///
    /// [`Error::is_usage`] inside an async task.
    #[allow(clippy::option_option)] // timed out, ended, or an event
    pub fn blocking_next_timeout(&mut self, timeout: Duration) -> Result<Option<Option<Event>>, Error> {
        blocking::refuse_in_async()?;
        match blocking::wait(std::future::poll_fn(|cx| self.queue.poll(cx)), Some(timeout)) {
            Wait::Done(event) => Ok(Some(event)),
            Wait::TimedOut => Ok(None),
        }
    }

    /// Takes the next event if there is one.
    pub fn try_next(&mut self) -> Option<Event> {
        match self.queue.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(event) => event,
            Poll::Pending => None,
        }
    }
}

impl Stream for Events {
    type Item = Event;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        self.queue.poll(cx)
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Events").field("waiting", &lock(&self.queue.state).events.len()).finish()
    }
}
