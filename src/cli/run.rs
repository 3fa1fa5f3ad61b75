//! A run as its user sees it: results to where they go, the rest to standard error.

use std::io;
use std::ops::ControlFlow;
use std::time::Instant;

use anyhow::{Context, Result};

use nishad::engine::{LocalFault, Note, Report, State};
use nishad::net::{self, Budget, Event, RunReport};
use nishad::output::{Clock, Ndjson, Output, Run, Text, TextOptions};

use super::Exit;
use super::args::{Args, Color, Format};
use super::plan::Plan;
use super::progress::{Screen, say};
use super::signals::Signals;
use super::sink::{self, Sink};
use super::zone;

/// Scans what `plan` says. An error is one of this machine: results that cannot be written, or a
/// scan that cannot be made.
pub(crate) fn run(args: &Args, mut plan: Plan, signals: &Signals) -> Result<Exit> {
    let sink = Sink::open(args.output.as_deref())
        .with_context(|| format!("cannot write to {}", sink::name(args.output.as_deref())))?;
    raise_descriptor_limit(&plan);
    let budget = budget(args);
    plan.options = budget.bound(plan.options);
    let clock = Clock::start();
    let mut view = View {
        output: output(args, &plan, &sink, clock),
        screen: Screen::new(
            !args.no_progress && !args.quiet,
            plan.space.planned(),
            Instant::now(),
        ),
        sink,
        verbose: args.verbose,
        quiet: args.quiet,
        faults: Vec::new(),
        failure: None,
    };
    if args.verbose {
        view.screen.line(format_args!("{}", describe(&plan)));
        view.screen.line(format_args!("this machine: {budget}"));
    }
    let cancel = signals.scanning();
    let ended = net::scan(plan.space, plan.options, cancel, &mut |event| {
        view.observe(event)
    });
    view.screen.clear();
    let complete = match (ended, view.failure.take()) {
        (_, Some(error)) => Err(error),
        (Ok(ended), None) => view
            .finish(&ended, clock)
            .map(|()| ended.counts.unscanned == 0),
        (Err(error), None) => {
            // What is known is not lost.
            let _ = view.flush();
            return Err(error.into());
        }
    };
    for wrong in &plan.bad {
        say(format_args!("error: not scanned: {wrong}"));
    }
    let complete = match complete {
        Ok(complete) => complete,
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => false,
        Err(error) => {
            let name = view.sink.name().to_string();
            return Err(error).with_context(|| format!("cannot write to {name}"));
        }
    };
    Ok(match () {
        () if signals.came() && !complete => Exit::Interrupted,
        () if !plan.bad.is_empty() => Exit::Usage,
        () if !complete => Exit::Incomplete,
        () => Exit::Complete,
    })
}

/// Where the events of a run go.
struct View {
    output: Output,
    sink: Sink,
    screen: Screen,
    verbose: bool,
    quiet: bool,
    /// Local faults told of, each once.
    faults: Vec<LocalFault>,
    /// Why the results could not be written.
    failure: Option<io::Error>,
}

impl View {
    fn observe(&mut self, event: Event) -> ControlFlow<()> {
        if self.failure.is_some() {
            // What else an ending scan tells has nowhere to go.
            return ControlFlow::Break(());
        }
        match self.take(event) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                self.failure = Some(error);
                ControlFlow::Break(())
            }
        }
    }

    fn take(&mut self, event: Event) -> io::Result<()> {
        let urgent = match event {
            Event::Progress(progress) => {
                self.screen.progress(Instant::now(), &progress);
                true
            }
            Event::Report(report) => {
                if let Report::Note(note) = &report {
                    self.note(note);
                }
                self.output.report(self.sink.lines(), &report)?;
                match report {
                    Report::Port(port) => port.verdict.state() == State::Open,
                    Report::Host(_) => true,
                    Report::Bulk(_) | Report::Note(_) => false,
                }
            }
        };
        if (urgent && !self.sink.is_empty()) || self.sink.is_full() {
            self.flush()
        } else {
            Ok(())
        }
    }

    fn note(&mut self, note: &Note) {
        let told = match note {
            _ if self.quiet => false,
            _ if self.verbose => true,
            Note::LocalFault { fault, .. } if !self.faults.contains(fault) => {
                self.faults.push(*fault);
                true
            }
            _ => false,
        };
        if told {
            self.screen.line(format_args!("{note}"));
        }
    }

    fn finish(&mut self, ended: &RunReport, clock: Clock) -> io::Result<()> {
        let RunReport {
            counts,
            hosts,
            miss,
            silent_hosts,
            attempts,
        } = *ended;
        let run = Run {
            counts,
            hosts,
            miss,
            silent_hosts,
            attempts,
            elapsed: clock.elapsed(),
        };
        self.output.finish(self.sink.lines(), &run)?;
        self.flush()
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.sink.is_terminal() {
            self.screen.without_bar(|| self.sink.flush())
        } else {
            self.sink.flush()
        }
    }
}

fn output(args: &Args, plan: &Plan, sink: &Sink, clock: Clock) -> Output {
    match args.format {
        Format::Ndjson => {
            let typed = std::env::args_os().map(|arg| arg.to_string_lossy().into_owned());
            Output::Ndjson(Ndjson::new(plan.show, clock, typed.collect(), plan.seed))
        }
        Format::Text => Output::Text(Text::new(TextOptions {
            show: plan.show,
            color: color(args.color, sink),
            verbose: args.verbose,
            hosts: plan.space.hosts(),
            zone: zone::local(),
            clock,
        })),
    }
}

fn color(wanted: Color, sink: &Sink) -> bool {
    // https://no-color.org: set to anything but nothing.
    let unwanted = || std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    match wanted {
        Color::Always => true,
        Color::Never => false,
        Color::Auto => sink.is_terminal() && !unwanted(),
    }
}

/// Descriptors of the program itself: the standard streams, the results' file, the event queue.
const OWN_DESCRIPTORS: usize = 32;

/// Lets the scan have as many sockets as it may use at once, as far as the system allows.
fn raise_descriptor_limit(plan: &Plan) {
    let planned = usize::try_from(plan.space.planned()).unwrap_or(usize::MAX);
    net::raise_descriptor_limit(planned.min(plan.options.max_sockets) + OWN_DESCRIPTORS);
}

/// What the scan may use of this machine.
fn budget(args: &Args) -> Budget {
    let mut budget = Budget::of_this_machine();
    if let Some(bytes) = args.max_memory {
        budget.limit_memory(bytes);
    }
    budget
}

/// What is about to be done, for `-v`.
fn describe(plan: &Plan) -> String {
    let options = &plan.options;
    let rate = options
        .rate
        .map_or("no limit".into(), |rate| format!("{rate}/s"));
    format!(
        "{} host(s), {} port(s) each, seed {}; timeout {:?}, retries up to {}, miss {}, rate {rate}, \
         sockets {} and {} a host",
        plan.space.hosts(),
        plan.space.ports(),
        plan.seed,
        options.timeout,
        options.retries,
        options.miss,
        options.max_sockets,
        options.host_sockets,
    )
}
