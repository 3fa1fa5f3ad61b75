//! A run as its user sees it: results to where they go, the rest to standard error.

use std::ops::ControlFlow;
use std::time::Instant;

use anyhow::{Result, bail};

use nishad::checkpoint::Checkpoint;
use nishad::engine::{LocalFault, Note, Report, Snapshot, State};
use nishad::net::{self, Budget, Control, Event, RunReport, ScanError, ServiceReport};
use nishad::output::{About, Clock, Recorder, Run, TextOptions};

use super::Exit;
use super::args::Args;
use super::audit::{Against, Auditing};
use super::destination::Wanted;
use super::dry;
use super::keys::{self, Keys};
use super::outputs::{Outputs, color};
use super::plan::Plan;
use super::progress::{Screen, say};
use super::saving::Saving;
use super::signals::Signals;
use super::targets::{Bad, Names};
use super::zone;

/// Scans what `plan` says, with the outputs that are `wanted` and held `against` that. An error is one of
/// this machine: results that cannot be written, or a scan that cannot be made.
pub(crate) fn run(
    args: &Args,
    mut plan: Plan,
    (wanted, against): (&[Wanted], Against),
    saved: Option<Checkpoint>,
    signals: &Signals,
) -> Result<Exit> {
    let mut outputs = open(args, &plan, wanted, saved.as_ref())?;
    outputs.audit(Auditing::new(against, false));
    let unresolved = plan.names.pending();
    let budget = prepare(args, &mut plan);
    if !args.quiet && dry::is_large(&plan) {
        say(format_args!("{}", dry::size(&plan)));
    }
    let clock = match &saved {
        Some(saved) => Clock::go_on(saved.started, saved.elapsed),
        None => Clock::start(),
    };
    let told = describe(&plan);
    let saving = Saving::new(args, &plan, saved.as_ref(), clock);
    let mut view = View {
        recorder: recorder(&plan, clock),
        clock,
        saving,
        screen: Screen::new(!args.no_progress && !args.quiet, Instant::now()),
        outputs,
        verbose: args.verbose,
        quiet: args.quiet,
        faults: Vec::new(),
        names: plan.names,
        bad: plan.bad,
    };
    if args.verbose {
        view.screen.line(format_args!("{told}"));
        view.screen.line(format_args!("this machine: {budget}"));
    }
    view.start(saved.as_ref())?;
    let control = signals.scanning();
    // Results that have nowhere to go are not begun.
    let ended = match view.is_over() {
        true => None,
        false => {
            let mut scan = net::Scan::new(plan.space, plan.options);
            if let Some(plan) = plan.services {
                scan = scan.services(plan.services);
                scan = scan.unanswered(view.recorder.unanswered());
            }
            let keys = Keys::listen(signals, &control);
            let ended = view.scan(scan, unresolved, saved, &control, keys);
            keys::end();
            view.screen.clear();
            Some(ended)
        }
    };
    let complete = view.conclude(ended)?;
    for wrong in view.bad.lines() {
        say(format_args!("error: not scanned: {wrong}"));
    }
    if view.outputs.failed() {
        return Ok(Exit::Failed);
    }
    view.tell_saved(complete)?;
    Ok(view.exit(complete, signals))
}

/// Where the events of a run go.
struct View {
    recorder: Recorder,
    outputs: Outputs,
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
}

impl View {
    /// Writes what comes first, so that even results cut off tell what they are of. An error is that
    /// the run cannot be saved.
    fn start(&mut self, saved: Option<&Checkpoint>) -> Result<()> {
        match saved {
            Some(saved) => self.recorder.take_up(&saved.pending),
            None => self.outputs.record(&self.recorder.start()),
        }
        self.flush(true);
        if let Some(saving) = &mut self.saving
            && !self.outputs.failed()
            && let Err(error) = saving.begin(&self.recorder, &mut self.outputs, self.clock)
        {
            bail!(saving.message(&error));
        }
        Ok(())
    }

    /// Whether nothing is left to scan for: there is no output, or a saved run lacks one.
    fn is_over(&self) -> bool {
        let lacks = self.outputs.failed() || self.outputs.closed();
        self.outputs.is_empty() || (self.saving.is_some() && lacks)
    }

    /// Makes the scan, of the hosts of names that are still `unresolved` too.
    fn scan(
        &mut self,
        mut scan: net::Scan,
        unresolved: u64,
        saved: Option<Checkpoint>,
        control: &Control,
        mut keys: Keys,
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
        scan.run(control, &mut |event| {
            match &event {
                Event::Progress(progress) => keys.answer(&mut self.screen, progress),
                Event::Report(report) => keys.report(report),
                _ => {}
            }
            self.observe(event)
        })
    }

    fn observe(&mut self, event: Event) -> ControlFlow<()> {
        if !self.is_over() {
            self.take(event);
        }
        // What else an ending scan tells has nowhere to go.
        match self.is_over() {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    }

    fn take(&mut self, event: Event) {
        let urgent = match event {
            Event::Progress(progress) => {
                self.tell_bad();
                self.screen.progress(Instant::now(), &progress);
                true
            }
            Event::Snapshot(snapshot) => return self.save(*snapshot),
            Event::Service(found) => {
                self.record_service(&found);
                true
            }
            Event::Report(report) => {
                if let Report::Note(note) = &report {
                    self.note(note);
                }
                self.record(&report);
                match report {
                    Report::Port(port) => port.verdict.state() == State::Open,
                    Report::Host(_) => true,
                    _ => false,
                }
            }
            // Nothing that was asked for.
            _ => false,
        };
        self.flush(urgent);
    }

    fn record(&mut self, report: &Report) {
        let outputs = &mut self.outputs;
        let recorded = self.recorder.report(report, &mut |record| {
            outputs.record(record);
            Ok(())
        });
        debug_assert!(recorded.is_ok(), "the outputs keep their errors");
    }

    fn record_service(&mut self, found: &ServiceReport) {
        let ServiceReport {
            target,
            port,
            service,
        } = found;
        let outputs = &mut self.outputs;
        let recorded = self
            .recorder
            .service(target, *port, service, &mut |record| {
                outputs.record(record);
                Ok(())
            });
        debug_assert!(recorded.is_ok(), "the outputs keep their errors");
    }

    /// Saves the run. That it cannot be saved now is no reason to end it.
    fn save(&mut self, snapshot: Snapshot) {
        self.flush(true);
        if let Some(saving) = &mut self.saving
            && !self.outputs.failed()
            && let Some(failure) =
                saving.save(snapshot, &self.recorder, &mut self.outputs, self.clock)
        {
            self.screen.line(format_args!("error: {failure}"));
        }
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

    /// Writes the end of a scan, if there was one; whether all is scanned and told. An error is one of
    /// the scan.
    fn conclude(&mut self, ended: Option<Result<RunReport, ScanError>>) -> Result<bool> {
        self.tell_bad();
        let left = self.names.left();
        let all_resolved = left.count() == 0;
        self.bad.merge(left);
        match ended {
            Some(Ok(ended)) => {
                self.finish(&ended);
                let all_told = ended.talks_cut == 0 && !self.outputs.closed();
                Ok(ended.counts.is_complete() && all_resolved && all_told)
            }
            Some(Err(error)) => {
                // What is known is not lost.
                self.outputs.flush(true, &self.screen);
                Err(error.into())
            }
            None => Ok(false),
        }
    }

    fn finish(&mut self, ended: &RunReport) {
        let RunReport {
            counts,
            hosts,
            miss,
            silent_hosts,
            attempts,
            ..
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
        self.outputs.record(&self.recorder.finish(&run));
        self.outputs.finish();
        self.tell_outputs();
    }

    /// Tells how a run that is not `complete` is gone on with. An error is that its last state is not
    /// saved.
    fn tell_saved(&self, complete: bool) -> Result<()> {
        let Some(saving) = &self.saving else {
            return Ok(());
        };
        if let Some(failure) = saving.failure() {
            bail!(failure);
        }
        if !complete && !self.quiet {
            say(format_args!("to go on: {}", saving.command()));
        }
        Ok(())
    }

    /// How the program ends, if all outputs could be written.
    fn exit(&self, complete: bool, signals: &Signals) -> Exit {
        match () {
            () if signals.came() && !complete => Exit::Interrupted,
            () if self.bad.count() > 0 => Exit::Usage,
            () if self.outputs.audited() == Some(Exit::Failed) => Exit::Failed,
            () if !complete || self.outputs.audited().is_some() => Exit::Incomplete,
            () => Exit::Complete,
        }
    }

    fn flush(&mut self, urgent: bool) {
        self.outputs.flush(urgent, &self.screen);
        self.tell_outputs();
    }

    /// Tells of outputs that cannot be written.
    fn tell_outputs(&mut self) {
        for message in self.outputs.take_messages() {
            self.screen.line(format_args!("{message}"));
        }
    }
}

/// Opens the outputs, or goes on with those of the run that was `saved`.
fn open(
    args: &Args,
    plan: &Plan,
    wanted: &[Wanted],
    saved: Option<&Checkpoint>,
) -> Result<Outputs> {
    let lengths = saved.map(|saved| &saved.outputs[..]);
    let force = args.outputs.force;
    let unresolved = plan.names.pending();
    Outputs::open(wanted, force, lengths, plan.show, |sink| TextOptions {
        color: color(args.color, sink),
        reasons: args.reason,
        verbose: args.verbose,
        more_hosts: unresolved,
        zone: zone::local(),
    })
}

fn recorder(plan: &Plan, clock: Clock) -> Recorder {
    let typed = std::env::args_os().map(|arg| arg.to_string_lossy().into_owned());
    let about = About {
        targets_failed: plan.bad.count(),
        ..About::new(&plan.space, plan.key.clone(), typed.collect())
    };
    let mut recorder = Recorder::new(plan.show, clock, about);
    if plan.services.is_some() {
        recorder.expect_services();
    }
    recorder
}

/// Descriptors of the program itself: the standard streams, the results' file, the event queue.
const OWN_DESCRIPTORS: usize = 32;

/// Ports that each host counts for at least, see `Options::active_ports`.
const LEAST_HOST: u32 = 256;

/// Bounds the scan by what this machine has, which is returned.
pub(crate) fn prepare(args: &Args, plan: &mut Plan) -> Budget {
    let unresolved = plan.names.pending();
    prepare_descriptors(plan, unresolved);
    if unresolved == 0 {
        // What is not kept for ports is for sockets.
        let host = u64::from(plan.space.ports().max(LEAST_HOST));
        let all = plan.space.hosts().saturating_mul(host);
        let active = plan.options.active_ports;
        plan.options.active_ports = u32::try_from(all).unwrap_or(u32::MAX).min(active);
    }
    let mut budget = budget(args);
    let services = plan.services.as_mut().map(|plan| &mut plan.services);
    plan.options = budget.bound(plan.options.clone(), services);
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
    let services = plan.services.as_ref();
    let talks = services.map_or(0, |plan| plan.services.at_once);
    net::raise_descriptor_limit(wanted + talks + OWN_DESCRIPTORS + lookups);
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
