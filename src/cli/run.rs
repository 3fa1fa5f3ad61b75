//! A run as its user sees it: results to where they go, the rest to standard error.

use std::io;
use std::ops::ControlFlow;
use std::time::Instant;

use anyhow::{Context, Result, bail};

use nishad::checkpoint::Checkpoint;
use nishad::engine::{LocalFault, Note, Report, Snapshot, State};
use nishad::net::{self, Budget, Control, Event, RunReport, ScanError};
use nishad::output::{About, Clock, Ndjson, Output, Run, Text, TextOptions};

use super::Exit;
use super::args::{Args, Color, Format};
use super::dry;
use super::plan::Plan;
use super::progress::{Screen, say};
use super::saving::Saving;
use super::signals::Signals;
use super::sink::{self, Sink};
use super::targets::{Bad, Names};
use super::zone;

/// Scans what `plan` says. An error is one of this machine: results that cannot be written, or a
/// scan that cannot be made.
pub(crate) fn run(
    args: &Args,
    mut plan: Plan,
    saved: Option<Checkpoint>,
    signals: &Signals,
) -> Result<Exit> {
    let path = args.output.as_deref();
    let sink = match &saved {
        Some(saved) => Sink::go_on(path, saved.output_length),
        None => Sink::open(path),
    };
    let sink = sink.with_context(|| format!("cannot write to {}", sink::name(path)))?;
    let unresolved = plan.names.pending();
    let late = saved
        .as_ref()
        .map_or(0, |saved| saved.snapshot.late.len() as u64);
    let budget = prepare(args, &mut plan);
    if !args.quiet && dry::is_large(&plan) {
        say(format_args!("{}", dry::size(&plan)));
    }
    let clock = match &saved {
        Some(saved) => Clock::go_on(saved.started, saved.elapsed),
        None => Clock::start(),
    };
    let saving = Saving::new(args, &plan, saved.as_ref(), clock);
    let told = describe(&plan);
    let mut view = View {
        output: output(args, &plan, unresolved + late, &sink, clock),
        clock,
        saving,
        screen: Screen::new(
            !args.no_progress && !args.quiet,
            plan.space.planned(),
            Instant::now(),
        ),
        sink,
        verbose: args.verbose,
        quiet: args.quiet,
        faults: Vec::new(),
        names: plan.names,
        bad: plan.bad,
        failure: None,
    };
    if args.verbose {
        view.screen.line(format_args!("{told}"));
        view.screen.line(format_args!("this machine: {budget}"));
    }
    let control = signals.scanning();
    // Results that have nowhere to go are not begun.
    let ended = view.start(saved.as_ref()).map(|()| {
        let scan = net::Scan::new(plan.space, plan.options);
        let ended = view.scan(scan, unresolved, saved, &control);
        view.screen.clear();
        ended
    });
    view.tell_bad();
    let left = view.names.left();
    let all_resolved = left.count() == 0;
    view.bad.merge(left);
    let complete = match (ended, view.failure.take()) {
        (Err(error), _) | (_, Some(error)) => Err(error),
        (Ok(Ok(ended)), None) => view
            .finish(&ended)
            .map(|()| ended.counts.is_complete() && all_resolved),
        (Ok(Err(error)), None) => {
            // What is known is not lost.
            let _ = view.flush();
            return Err(error.into());
        }
    };
    for wrong in view.bad.lines() {
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
    if let Some(saving) = &view.saving {
        if let Some(failure) = saving.failure() {
            bail!(failure);
        }
        if !complete && !args.quiet {
            say(format_args!("to go on: {}", saving.command()));
        }
    }
    Ok(match () {
        () if signals.came() && !complete => Exit::Interrupted,
        () if view.bad.count() > 0 => Exit::Usage,
        () if !complete => Exit::Incomplete,
        () => Exit::Complete,
    })
}

/// Where the events of a run go.
struct View {
    output: Output,
    sink: Sink,
    clock: Clock,
    /// Where the run is saved.
    saving: Option<Saving>,
    screen: Screen,
    verbose: bool,
    quiet: bool,
    /// Local faults told of, each once.
    faults: Vec<LocalFault>,
    /// Names that are being resolved, and the targets that cannot be scanned.
    names: Names,
    bad: Bad,
    /// Why the results could not be written.
    failure: Option<io::Error>,
}

impl View {
    /// Writes what comes first, so that even results cut off tell what they are of.
    fn start(&mut self, saved: Option<&Checkpoint>) -> io::Result<()> {
        match saved {
            Some(saved) => self.output.take_up(&saved.pending),
            None => self.output.start(self.sink.lines())?,
        }
        self.flush()?;
        match &mut self.saving {
            Some(saving) => saving
                .begin(&self.output, &mut self.sink, self.clock)
                .map_err(|error| io::Error::other(saving.message(&error))),
            None => Ok(()),
        }
    }

    /// Makes the scan, of the hosts of names that are still `unresolved` too.
    fn scan(
        &mut self,
        mut scan: net::Scan,
        unresolved: u64,
        saved: Option<Checkpoint>,
        control: &Control,
    ) -> Result<RunReport, ScanError> {
        if unresolved > 0 {
            let (feeder, feed) = net::feed();
            self.names.feed(feeder);
            scan = scan.feed(feed);
        }
        if let Some(saved) = saved {
            scan = scan.resume(saved.snapshot);
        }
        if let Some(saving) = &self.saving {
            scan = scan.snapshots(saving.every);
        }
        scan.run(control, &mut |event| self.observe(event))
    }

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
                self.tell_bad();
                self.screen.progress(Instant::now(), &progress);
                true
            }
            Event::Snapshot(snapshot) => return self.save(*snapshot),
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

    /// Saves the run. That it cannot be saved now is no reason to end it.
    fn save(&mut self, snapshot: Snapshot) -> io::Result<()> {
        self.flush()?;
        if let Some(saving) = &mut self.saving
            && let Some(failure) = saving.save(snapshot, &self.output, &mut self.sink, self.clock)
        {
            self.screen.line(format_args!("error: {failure}"));
        }
        Ok(())
    }

    /// Tells of names that could not be resolved since.
    fn tell_bad(&mut self) {
        let new = self.names.take_bad();
        for wrong in self.bad.merge(new) {
            self.screen.line(format_args!("error: {wrong}"));
        }
    }

    fn note(&mut self, note: &Note) {
        let told = match note {
            _ if self.quiet => false,
            _ if self.verbose => true,
            Note::NetworkGone { .. } | Note::NetworkBack { .. } | Note::Gap { .. } => true,
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

    fn finish(&mut self, ended: &RunReport) -> io::Result<()> {
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
            targets_failed: self.bad.count(),
            elapsed: self.clock.elapsed(),
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

fn output(args: &Args, plan: &Plan, unresolved: u64, sink: &Sink, clock: Clock) -> Output {
    match args.format {
        Format::Ndjson => {
            let typed = std::env::args_os().map(|arg| arg.to_string_lossy().into_owned());
            let about = About {
                targets_failed: plan.bad.count(),
                ..About::new(&plan.space, plan.key.clone(), typed.collect())
            };
            Output::Ndjson(Ndjson::new(plan.show, clock, about))
        }
        Format::Text => Output::Text(Text::new(TextOptions {
            show: plan.show,
            color: color(args.color, sink),
            verbose: args.verbose,
            hosts: plan.space.hosts() + unresolved,
            part: plan.space.part(),
            merged: false,
            zone: zone::local(),
            clock,
        })),
    }
}

/// Whether text that goes to `sink` has colour.
pub(crate) fn color(wanted: Color, sink: &Sink) -> bool {
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

/// Bounds the scan by what this machine has, which is returned.
pub(crate) fn prepare(args: &Args, plan: &mut Plan) -> Budget {
    let unresolved = plan.names.pending();
    prepare_descriptors(plan, unresolved);
    let budget = budget(args);
    plan.options = budget.bound(plan.options.clone());
    budget
}

/// Lets the scan have as many sockets as it may use at once, as far as the system allows, and
/// lookups what they need.
fn prepare_descriptors(plan: &mut Plan, unresolved: u64) {
    let more = unresolved.saturating_mul(plan.space.ports().into());
    let planned = usize::try_from(plan.space.planned().saturating_add(more));
    let sockets = plan.options.max_sockets;
    let lookups = match unresolved {
        0 => 0,
        _ => plan.names.descriptors(),
    };
    let wanted = planned.unwrap_or(usize::MAX).min(sockets);
    net::raise_descriptor_limit(wanted + OWN_DESCRIPTORS + lookups);
    if lookups > 0 {
        let free = net::available_sockets().saturating_sub(lookups);
        plan.options.max_sockets = sockets.min(free).max(1);
    }
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
    let names = match plan.names.pending() {
        0 => String::new(),
        n => format!("{n} name(s) being resolved, "),
    };
    let rate = options
        .rate
        .map_or("no limit".into(), |rate| format!("{rate}/s"));
    let shard = plan.space.part().map_or(String::new(), |(shard, _)| {
        format!("shard {} of {}: ", shard.index(), shard.count())
    });
    format!(
        "{shard}{} host(s), {names}{} port(s) each, seed {}; timeout {:?}, retries up to {}, miss {}, rate {rate}, \
         sockets {} and {} a host",
        plan.space.hosts(),
        plan.space.ports(),
        plan.key.seed,
        options.timeout,
        options.retries,
        options.miss,
        options.max_sockets,
        options.host_sockets,
    )
}
