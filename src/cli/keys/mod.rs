//! Keys during a scan on a terminal: a status line, a pause, the end.
//!
//! A thread of the program reads them; what they ask for is done by the thread that scans, between two
//! turns of its loop. The engine knows nothing of it.

#[cfg(windows)]
#[path = "console.rs"]
mod listener;
#[cfg(unix)]
mod listener;
#[cfg(unix)]
mod terminal;

use std::fmt::Write;
use std::io::{self, IsTerminal};
use std::sync::mpsc::{Receiver, channel};

use nishad::engine::{Progress, Report, State};
use nishad::net::Control;
use nishad::target::Target;

use super::events;
use super::progress::Screen;
use super::signals::Signals;

/// Open ports that a status line lists.
const LISTED: usize = 50;

/// What a key asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(not(unix), allow(dead_code, reason = "nothing listens there"))]
enum Key {
    /// A status line.
    Status,
    /// A pause, or its end.
    Pause,
    /// The end of the scan.
    Quit,
}

/// The keys of a run, and what they have to tell.
pub(crate) struct Keys {
    /// Nothing comes where nothing listens.
    pressed: Receiver<Key>,
    control: Control,
    signals: Signals,
    /// Open ports found first, by host.
    open: Vec<(Target, Vec<u16>)>,
    listed: usize,
}

impl Keys {
    /// Listens from now on, if standard input and standard error are a terminal in whose foreground the
    /// program is. `control` is that of the scan.
    pub(crate) fn listen(signals: &Signals, control: &Control) -> Keys {
        let (sender, pressed) = channel();
        let person = io::stdin().is_terminal() && io::stderr().is_terminal();
        if person && !events::are_wanted() {
            // Without keys the scan is as good.
            let _ = listener::start(signals, sender);
        }
        Keys::new(signals, control, pressed)
    }

    fn new(signals: &Signals, control: &Control, pressed: Receiver<Key>) -> Keys {
        Keys {
            pressed,
            control: control.clone(),
            signals: signals.clone(),
            open: Vec::new(),
            listed: 0,
        }
    }

    /// Remembers what a status line lists.
    pub(crate) fn report(&mut self, report: &Report) {
        let Report::Port(port) = report else {
            return;
        };
        if port.verdict.state() != State::Open || self.listed == LISTED {
            return;
        }
        self.listed += 1;
        let of = |target: &Target| (target.addr, target.scope_id);
        let same = |host: &&mut (Target, Vec<u16>)| of(&host.0) == of(&port.target);
        match self.open.iter_mut().rev().find(same) {
            Some((_, ports)) => ports.push(port.port),
            None => self.open.push((port.target.clone(), vec![port.port])),
        }
    }

    /// Does what was asked for since the last time.
    pub(crate) fn answer(&mut self, screen: &mut Screen, progress: &Progress) {
        while let Ok(key) = self.pressed.try_recv() {
            match key {
                Key::Status => {
                    let now = screen.describe(progress);
                    screen.line(format_args!("{now}{}", self.found(progress.counts.open)));
                }
                Key::Pause if self.control.is_paused() => {
                    self.control.resume();
                    screen.set_paused(false);
                    screen.line(format_args!("going on"));
                }
                Key::Pause => {
                    self.control.pause();
                    screen.set_paused(true);
                    screen.line(format_args!("paused; p goes on"));
                }
                Key::Quit => {
                    end();
                    self.signals.make_deadly();
                    self.signals.end_scan();
                }
            }
        }
    }

    /// `: 192.0.2.7 22 80, 192.0.2.9 443 and 3 more`, of `open` ports.
    fn found(&self, open: u64) -> String {
        let mut text = String::new();
        for (index, (target, ports)) in self.open.iter().enumerate() {
            let before = if index == 0 { ": " } else { ", " };
            // Writing to a String does not fail.
            let _ = write!(text, "{before}{target}");
            for port in ports {
                let _ = write!(text, " {port}");
            }
        }
        if let Some(more) = open
            .checked_sub(self.listed as u64)
            .filter(|more| *more > 0)
        {
            let _ = write!(text, " and {more} more");
        }
        text
    }
}

/// The terminal is again as it was, for good.
pub(crate) fn end() {
    #[cfg(unix)]
    terminal::end();
}

#[cfg(test)]
mod tests {
    use super::*;
    use nishad::engine::{PortReport, Reason, Verdict};
    use std::net::IpAddr;

    fn open(host: u8, port: u16) -> Report {
        Report::Port(PortReport {
            target: Target::new(IpAddr::from([192, 0, 2, host])),
            port,
            verdict: Verdict {
                reason: Reason::SynAck,
                attempts: 1,
                rtt: None,
                from: None,
            },
        })
    }

    #[test]
    fn a_status_line_lists_what_was_found_first() {
        let signals = Signals::install().expect("handlers");
        let mut keys = Keys::new(&signals, &Control::default(), channel().1);
        assert_eq!(keys.found(0), "");
        for (host, port) in [(7, 22), (9, 443), (7, 80)] {
            keys.report(&open(host, port));
        }
        assert_eq!(keys.found(3), ": 192.0.2.7 22 80, 192.0.2.9 443");
        (1..=60).for_each(|port| keys.report(&open(1, port)));
        let found = keys.found(63);
        assert!(found.ends_with(" 46 47 and 13 more"), "{found}");
    }
}
