//! Many names at the same time: a few threads, made as they are needed, each waiting for one name.
//!
//! The system's resolver knows only waiting, so threads it is. What they find goes to whoever waits,
//! or once a scan runs to the scan. A lookup that takes longer than any resolver should is given up,
//! and its thread with it: nothing can end it, and nobody waits for it.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use nishad::net::{self, Feeder};
use nishad::target::Target;

use super::bad::Bad;
use super::exclude::Excluded;
use super::lookup::Lookup;
use super::place::Place;

/// Threads at once, at most.
const THREADS: usize = 16;

/// Descriptors a lookup may hold: the list of hosts, a socket to ask a server, one for its IPv6.
const DESCRIPTORS: usize = 3;

/// Descriptors there must be for each thread; the others are the scan's.
const SHARE: usize = 8;

/// After this a lookup is given up. The C library's own patience is 5 s, twice, for each server.
const PATIENCE: Duration = Duration::from_secs(60);

/// Threads that may be lost to lookups that never end.
const LOST: usize = 48;

/// Bytes of stack: the C library and its modules need some tens of thousands.
const STACK: usize = 512 * 1024;

/// How often it is looked for lookups to give up.
const LOOK: Duration = Duration::from_millis(500);

/// Names that are being resolved.
#[derive(Debug)]
pub(crate) struct Names {
    shared: Arc<Shared>,
    threads: usize,
}

#[derive(Debug)]
struct Shared {
    lookup: Lookup,
    state: Mutex<State>,
    /// There is a name to resolve, or never will be.
    work: Condvar,
    /// A name was resolved, or cannot be.
    news: Condvar,
}

#[derive(Debug, Default)]
struct State {
    queue: VecDeque<Name>,
    /// Names given, in small letters.
    seen: HashSet<Arc<str>>,
    /// Names being looked up, by number, and since when.
    under_way: HashMap<u64, (Name, Instant)>,
    next: u64,
    threads: usize,
    idle: usize,
    lost: usize,
    /// What was found while no scan ran.
    found: VecDeque<Target>,
    bad: Bad,
    /// Where hosts go once a scan runs.
    feeder: Option<Feeder>,
    excluded: Excluded,
    /// No name is looked up yet.
    held: bool,
    /// No more names will be given.
    closed: bool,
}

#[derive(Clone, Debug)]
struct Name {
    text: Arc<str>,
    place: Place,
}

impl State {
    /// Names without an answer.
    fn pending(&self) -> usize {
        self.queue.len() + self.under_way.len()
    }

    fn answer(&mut self, name: &Name, answer: Result<Vec<Target>, String>) {
        match answer {
            Ok(targets) => {
                let excluded = &self.excluded;
                for target in targets.into_iter().filter(|target| !excluded.has(target)) {
                    match &self.feeder {
                        // A scan that has ended takes no more; it says what that means.
                        Some(feeder) => drop(feeder.send(target)),
                        None => self.found.push_back(target),
                    }
                }
            }
            Err(reason) => self
                .bad
                .push(|| format!("{}{}: {reason}", name.place, name.text)),
        }
        self.end_feed();
    }

    /// Tells the scan when no more hosts will come.
    fn end_feed(&mut self) {
        if self.pending() == 0 {
            self.feeder = None;
        }
    }

    /// Gives up what takes too long; whether another thread is needed.
    fn look(&mut self, now: Instant) -> bool {
        let late = |since: Instant| now.saturating_duration_since(since) >= PATIENCE;
        let given_up: Vec<u64> = self
            .under_way
            .iter()
            .filter(|(_, (_, since))| late(*since))
            .map(|(number, _)| *number)
            .collect();
        for number in given_up {
            if let Some((name, _)) = self.under_way.remove(&number) {
                self.threads -= 1;
                self.lost += 1;
                let seconds = PATIENCE.as_secs();
                let reason = format!("cannot be resolved: no answer within {seconds} seconds");
                self.answer(&name, Err(reason));
            }
        }
        if self.lost >= LOST && self.threads == 0 {
            self.drop_queue("cannot be resolved: the system's resolver does not answer");
        }
        self.threads == 0 && !self.queue.is_empty() && !self.held
    }

    fn drop_queue(&mut self, reason: &str) {
        while let Some(name) = self.queue.pop_front() {
            self.answer(&name, Err(reason.into()));
        }
    }
}

impl Names {
    /// No names yet; they are resolved as `lookup` says.
    pub(crate) fn new(lookup: Lookup) -> Names {
        let shared = Shared {
            lookup,
            state: Mutex::default(),
            work: Condvar::new(),
            news: Condvar::new(),
        };
        Names {
            shared: Arc::new(shared),
            threads: (net::available_sockets() / SHARE).clamp(1, THREADS),
        }
    }

    /// Begins to resolve a name. One that was given before is not resolved again.
    pub(crate) fn add(&self, name: &str, place: Place) {
        let mut state = self.shared.lock();
        let text: Arc<str> = name.into();
        let small = match name.bytes().any(|byte| byte.is_ascii_uppercase()) {
            true => name.to_ascii_lowercase().into(),
            false => text.clone(),
        };
        if !state.seen.insert(small) {
            return;
        }
        state.queue.push_back(Name { text, place });
        if state.held {
            return;
        }
        if state.idle < state.queue.len() && state.threads < self.threads {
            self.spawn(&mut state);
        }
        drop(state);
        self.shared.work.notify_one();
    }

    /// No name is looked up before [`start`](Self::start) says which.
    pub(crate) fn hold(&self) {
        self.shared.lock().held = true;
    }

    /// Goes on after [`hold`](Self::hold), with those names only that `wanted` picks.
    pub(crate) fn start(&self, wanted: impl Fn(&str) -> bool) {
        let mut state = self.shared.lock();
        if !std::mem::take(&mut state.held) {
            return;
        }
        state.queue.retain(|name| wanted(&name.text));
        for _ in state.threads..self.threads.min(state.queue.len()) {
            self.spawn(&mut state);
        }
        drop(state);
        self.shared.work.notify_all();
    }

    /// Descriptors that lookups may hold at the same time.
    pub(crate) fn descriptors(&self) -> usize {
        self.threads * DESCRIPTORS
    }

    /// No more names will be given; those that were, in small letters.
    pub(crate) fn close(&self) -> Vec<Arc<str>> {
        let mut state = self.shared.lock();
        state.closed = true;
        let given = std::mem::take(&mut state.seen);
        drop(state);
        self.shared.work.notify_all();
        given.into_iter().collect()
    }

    /// Names without an answer, and hosts found that nobody has taken yet: what is still to come.
    pub(crate) fn pending(&self) -> u64 {
        let state = self.shared.lock();
        (state.pending() + state.found.len()) as u64
    }

    /// Waits until `deadline`, or every name has an answer; with `need_one` also past the deadline
    /// until there is a host. The hosts found.
    pub(crate) fn wait_until(&self, deadline: Instant, need_one: bool) -> Vec<Target> {
        let mut state = self.shared.lock();
        loop {
            let now = Instant::now();
            self.look(&mut state, now);
            let enough = now >= deadline && (!need_one || !state.found.is_empty());
            if state.pending() == 0 || enough {
                return state.found.drain(..).collect();
            }
            let wait = match now < deadline {
                true => (deadline - now).min(LOOK),
                false => LOOK,
            };
            state = self.shared.wait(state, wait);
        }
    }

    /// Waits for every name; the hosts found.
    pub(crate) fn wait_for_all(&self) -> Vec<Target> {
        self.close();
        let mut found = Vec::new();
        while let Some(target) = self.wait_for_next() {
            found.push(target);
        }
        found
    }

    /// Waits for the next host; `None` when every name has its answer.
    pub(crate) fn wait_for_next(&self) -> Option<Target> {
        let mut state = self.shared.lock();
        loop {
            self.look(&mut state, Instant::now());
            if !state.found.is_empty() || state.pending() == 0 {
                return state.found.pop_front();
            }
            state = self.shared.wait(state, LOOK);
        }
    }

    /// What is found from now on is without these.
    pub(crate) fn exclude(&self, excluded: Excluded) {
        let mut state = self.shared.lock();
        state.found.retain(|target| !excluded.has(target));
        state.excluded = excluded;
    }

    /// From now on hosts go to `feeder`, which is dropped when all names have their answer.
    pub(crate) fn feed(&self, feeder: Feeder) {
        let mut state = self.shared.lock();
        for target in state.found.drain(..) {
            // There is a scan, or there will be one.
            let _ = feeder.send(target);
        }
        state.feeder = Some(feeder);
        state.end_feed();
    }

    /// The names that failed since this was asked last. To be asked now and then while a scan runs:
    /// lookups that take too long are given up here.
    pub(crate) fn take_bad(&self) -> Bad {
        let mut state = self.shared.lock();
        self.look(&mut state, Instant::now());
        std::mem::take(&mut state.bad)
    }

    /// The names that have no answer when the run has ended.
    pub(crate) fn left(&self) -> Bad {
        let state = self.shared.lock();
        let mut left = Bad::default();
        let mut under_way: Vec<_> = state.under_way.iter().collect();
        under_way.sort_by_key(|(number, _)| **number);
        let under_way = under_way.into_iter().map(|(_, (name, _))| name);
        for name in under_way.chain(&state.queue) {
            left.push(|| {
                format!(
                    "{}{}: not yet resolved when the run ended",
                    name.place, name.text
                )
            });
        }
        left
    }

    fn look(&self, state: &mut State, now: Instant) {
        if state.look(now) {
            self.spawn(state);
        }
    }

    fn spawn(&self, state: &mut State) {
        let shared = self.shared.clone();
        let thread = thread::Builder::new()
            .name("resolver".into())
            .stack_size(STACK);
        match thread.spawn(move || shared.work()) {
            Ok(_) => state.threads += 1,
            Err(error) if state.threads == 0 => {
                state.drop_queue(&format!(
                    "cannot be resolved: no thread can be made: {error}"
                ));
            }
            // Those that there are will do.
            Err(_) => {}
        }
    }
}

impl Shared {
    /// What a thread does.
    fn work(&self) {
        let mut state = self.lock();
        loop {
            let Some(name) = state.queue.pop_front() else {
                if state.closed {
                    state.threads -= 1;
                    return;
                }
                state.idle += 1;
                state = self
                    .work
                    .wait(state)
                    .unwrap_or_else(PoisonError::into_inner);
                state.idle -= 1;
                continue;
            };
            let number = state.next;
            state.next += 1;
            state
                .under_way
                .insert(number, (name.clone(), Instant::now()));
            drop(state);
            let answer = self.lookup.resolve(&name.text);
            state = self.lock();
            if state.under_way.remove(&number).is_none() {
                // It was given up meanwhile, and this thread with it.
                return;
            }
            state.answer(&name, answer);
            self.news.notify_all();
        }
    }

    /// No thread panics while it holds the state; if one did, what is there would still be true.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State>, time: Duration) -> MutexGuard<'a, State> {
        let waited = self.news.wait_timeout(state, time);
        waited.unwrap_or_else(PoisonError::into_inner).0
    }
}

#[cfg(test)]
mod tests;
