//! The place where a world is: a network namespace with a TUN device, both gone when the world ends.
//!
//! One thread leaves the process's network namespace for a new one, opens the device there, and
//! starts the thread that plays the world. Programs that it starts see only that network. Nothing
//! has a name outside, so nothing is left however the process ends.

use std::io::{self, Read, Write};
use std::net::IpAddr;
use std::os::fd::AsFd;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sched::{CloneFlags, unshare};
use nix::sys::signal::{Signal, kill};
use nix::sys::time::TimeSpec;
use nix::time::{ClockId, clock_gettime};
use nix::unistd::{Pid, geteuid};
use tappers::{Interface, linux::Tun};

use crate::model::{SCANNER_V4, SCANNER_V6, World};
use crate::sim::{Sim, Time};
use crate::tally::Tally;

const DEVICE: &str = "world0";
/// Packets that the device's own queue holds: enough that no scanner fills it, for what it drops no
/// world has decided to lose.
const QUEUE: u32 = 50_000;
/// Packets taken or given between two looks at the clock.
const BATCH: usize = 64;
/// How long the kernel may take to make the device usable.
const PATIENCE: Duration = Duration::from_secs(20);
/// RTF_LOCAL, linux/ipv6_route.h.
const LOCAL: u32 = 0x8000_0000;

/// Worlds are played one at a time: two would take each other's processor.
static TURN: Mutex<()> = Mutex::new(());

/// A world that is being played.
pub struct Lab<'a> {
    pub world: &'a World,
}

/// How a program ended.
pub struct Ended {
    pub status: ExitStatus,
    pub stdout: String,
    pub stderr: String,
    pub wall: Duration,
}

impl Lab<'_> {
    /// Runs a program in the world's network and kills it after `limit`.
    pub fn output(&self, command: &mut Command, limit: Duration) -> io::Result<Ended> {
        self.output_while(command, limit, |_| ())
    }

    /// The same, and does something to it as soon as it runs.
    pub fn output_while(
        &self,
        command: &mut Command,
        limit: Duration,
        meanwhile: impl FnOnce(Pid),
    ) -> io::Result<Ended> {
        let start = Instant::now();
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let pid = Pid::from_raw(i32::try_from(child.id()).map_err(io::Error::other)?);
        let mut out = child.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?;
        let mut err = child.stderr.take().ok_or(io::ErrorKind::BrokenPipe)?;
        let (done, wait) = mpsc::channel::<()>();
        thread::scope(|scope| {
            scope.spawn(move || {
                if wait.recv_timeout(limit) == Err(mpsc::RecvTimeoutError::Timeout) {
                    let _ = kill(pid, Signal::SIGKILL);
                }
            });
            let stderr = scope.spawn(move || {
                let mut text = Vec::new();
                err.read_to_end(&mut text).map(|_| text)
            });
            let stdout = scope.spawn(move || {
                let mut text = Vec::new();
                out.read_to_end(&mut text).map(|_| text)
            });
            // On this thread, whose network namespace is the world's.
            meanwhile(pid);
            let stdout = stdout.join().expect("reading does not panic")?;
            let status = child.wait()?;
            let wall = start.elapsed();
            drop(done);
            let stderr = stderr.join().expect("reading does not panic")?;
            Ok(Ended {
                status,
                stdout: String::from_utf8_lossy(&stdout).into_owned(),
                stderr: String::from_utf8_lossy(&stderr).into_owned(),
                wall,
            })
        })
    }

    /// The address of the world's n-th host.
    pub fn address(&self, number: u32) -> IpAddr {
        self.world.address(number)
    }
}

/// Plays `world` while `body` runs. `Err` says why this machine cannot.
pub fn play<R: Send>(
    world: &World,
    body: impl FnOnce(&Lab) -> R + Send,
) -> Result<(R, Tally), String> {
    play_seeded(world, world.seed, body)
}

/// The same with other chances than the world's own.
pub fn play_seeded<R: Send>(
    world: &World,
    seed: u64,
    body: impl FnOnce(&Lab) -> R + Send,
) -> Result<(R, Tally), String> {
    let _turn = TURN.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    thread::scope(|scope| {
        let lab = thread::Builder::new()
            .name(world.name.to_owned())
            .spawn_scoped(scope, move || inside(world, seed, body));
        match lab.map_err(|error| error.to_string())?.join() {
            Ok(result) => result,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}

/// Set: a world that cannot be made is a failure.
const REQUIRED: &str = "NISHAD_LAB";
/// Set inside the user namespace in which a test runs again.
const INSIDE: &str = "NISHAD_WORLD_INSIDE";

/// Whether a world must be made.
pub fn is_required() -> bool {
    std::env::var(REQUIRED).is_ok_and(|value| value == "required")
}

/// Runs `test` again, as the root of a user namespace, where the user is not root; whether that was
/// to be done. It panics if the test fails there.
pub fn ran_inside(test: &str) -> bool {
    match as_root() {
        Some(command) if std::env::var_os(INSIDE).is_none() => {
            again(test, command);
            true
        }
        _ => false,
    }
}

/// Runs one test as the root of a user namespace of its own.
fn again(test: &str, mut command: Command) {
    let program = std::env::current_exe().expect("a test knows its own program");
    let result = command
        .arg(program)
        .args(["--exact", test, "--nocapture"])
        .env(INSIDE, "1")
        .status();
    let required = is_required();
    match result {
        Ok(status) if status.success() => {}
        // unshare's own failure; a failed test's is 101.
        Ok(status) if status.code() == Some(1) && !required => {
            println!("skipped: no user namespace here, and not root");
        }
        Err(error) if !required => println!("skipped: cannot run unshare: {error}"),
        other => panic!("{test} in a user namespace: {other:?}"),
    }
}

/// Whether a world could be made by this user; if not and another try as the root of an own user
/// namespace could help, the command that does it: what follows runs in there.
pub fn as_root() -> Option<Command> {
    if geteuid().is_root() {
        return None;
    }
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", "--net", "--"]);
    Some(command)
}

fn inside<R>(world: &World, seed: u64, body: impl FnOnce(&Lab) -> R) -> Result<(R, Tally), String> {
    unshare(CloneFlags::CLONE_NEWNET).map_err(|error| format!("no network namespace: {error}"))?;
    let tun = device()?;
    if let Some((first, last)) = world.source_ports {
        sysctl("net/ipv4/ip_local_port_range", &format!("{first} {last}"))
            .map_err(|error| format!("no other source ports: {error}"))?;
    }
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let player = scope.spawn(|| serve(world, seed, &tun, &stop));
        // Stops the player also when the body panics.
        let guard = Stop(&stop);
        let result = body(&Lab { world });
        drop(guard);
        let mut tally = player.join().expect("the world is played without panic")?;
        tally.tun_dropped = dropped()?;
        tally.met_a_call = met_a_call()?;
        Ok((result, tally))
    })
}

struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

/// The namespace's only way out, which leads into the world.
fn device() -> Result<Tun, String> {
    if !Path::new("/dev/net/tun").exists() {
        let made = Command::new("sh")
            .args(["-c", "mkdir -p /dev/net && mknod /dev/net/tun c 10 200"])
            .status();
        if !made.is_ok_and(|status| status.success()) {
            return Err("no /dev/net/tun, and it cannot be made".to_owned());
        }
    }
    let explain = |error: io::Error| format!("no TUN device: {error}");
    let name = Interface::new(DEVICE).map_err(explain)?;
    let tun = Tun::create_named(name).map_err(explain)?;
    tun.set_nonblocking(true).map_err(explain)?;
    // Absent where the system has no IPv6; then the worlds that use it say so.
    let _ = std::fs::write(
        format!("/proc/sys/net/ipv6/conf/{DEVICE}/disable_ipv6"),
        "0",
    );
    ip(&format!(
        "link set lo up\n\
         link set {DEVICE} up mtu 1500 txqueuelen {QUEUE}\n\
         addr add {SCANNER_V4}/32 dev {DEVICE}\n\
         route add 198.18.0.0/15 dev {DEVICE} src {SCANNER_V4}\n\
         addr add {SCANNER_V6}/128 dev {DEVICE} nodad\n\
         route add fd00:18::/32 via fe80::1 dev {DEVICE} onlink src {SCANNER_V6}\n"
    ))?;
    await_local_route()?;
    Ok(tun)
}

/// Until the kernel takes packets for [`SCANNER_V6`]: it drops them as long as the address has no
/// route in the table `local`, which it gets some time after `ip` has ended.
fn await_local_route() -> Result<(), String> {
    let address = SCANNER_V6.octets().map(|octet| format!("{octet:02x}"));
    let address = address.concat();
    let deadline = Instant::now() + PATIENCE;
    loop {
        let routes = std::fs::read_to_string("/proc/thread-self/net/ipv6_route")
            .map_err(|error| format!("no IPv6: {error}"))?;
        if routes.lines().any(|route| is_local(route, &address)) {
            return Ok(());
        }
        if Instant::now() > deadline {
            return Err(format!("{SCANNER_V6} gets no local route:\n{routes}"));
        }
        thread::sleep(Duration::from_millis(1));
    }
}

/// Whether a line of /proc/net/ipv6_route is the local route of `address`: destination, its length,
/// source, its length, next hop, metric, two counters, flags.
fn is_local(route: &str, address: &str) -> bool {
    let fields: Vec<&str> = route.split_whitespace().collect();
    let flags = fields.get(8).map(|flags| u32::from_str_radix(flags, 16));
    fields.first() == Some(&address)
        && flags.is_some_and(|flags| flags.is_ok_and(|f| f & LOCAL > 0))
}

/// Sets a value of the calling thread's network namespace.
pub fn sysctl(name: &str, value: &str) -> io::Result<()> {
    std::fs::write(format!("/proc/sys/{name}"), value)
}

/// Runs commands of iproute2.
fn ip(commands: &str) -> Result<(), String> {
    let explain = |error: io::Error| format!("cannot run ip (Debian: iproute2): {error}");
    let mut child = Command::new("ip")
        .args(["-batch", "-"])
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(explain)?;
    if let Some(mut input) = child.stdin.take() {
        input.write_all(commands.as_bytes()).map_err(explain)?;
    }
    let output = child.wait_with_output().map_err(explain)?;
    if output.status.success() {
        return Ok(());
    }
    let error = String::from_utf8_lossy(&output.stderr);
    Err(format!("ip: {}", error.trim()))
}

/// What the device's queue dropped on its way from the kernel to the world.
fn dropped() -> Result<u64, String> {
    let table = std::fs::read_to_string("/proc/thread-self/net/dev")
        .map_err(|error| format!("/proc/thread-self/net/dev: {error}"))?;
    let line = table
        .lines()
        .find_map(|line| line.trim().strip_prefix(DEVICE)?.strip_prefix(':'))
        .ok_or("the device is gone")?;
    // Eight columns of what was received, then bytes, packets, errors and drops of what was sent.
    let column = line.split_whitespace().nth(11);
    column
        .and_then(|drops| drops.parse().ok())
        .ok_or_else(|| format!("cannot read the device's counters: {line}"))
}

/// ICMP errors that came while a call held their socket. TCP puts its own packets off until the call
/// returns, so that such an error overtakes the answers before it.
fn met_a_call() -> Result<u64, String> {
    const COUNTER: &str = "LockDroppedIcmps";
    let table = std::fs::read_to_string("/proc/thread-self/net/netstat")
        .map_err(|error| format!("/proc/thread-self/net/netstat: {error}"))?;
    // A line of names, then one of numbers.
    let mut lines = table.lines().filter(|line| line.starts_with("TcpExt:"));
    let (names, numbers) = lines.next().zip(lines.next()).unwrap_or_default();
    let mut both = names.split_whitespace().zip(numbers.split_whitespace());
    let count = both.find(|(name, _)| *name == COUNTER);
    count
        .and_then(|(_, count)| count.parse().ok())
        .ok_or_else(|| format!("the kernel does not count {COUNTER}"))
}

/// How long nothing has come, and nothing is to be done, before the world sleeps, nanoseconds: going to
/// sleep and being woken takes about as long, of this processor and of the scanner's.
const SPIN: Time = 50_000;

/// Moves packets between the kernel and the world until told to stop.
fn serve(world: &World, seed: u64, tun: &Tun, stop: &AtomicBool) -> Result<Tally, String> {
    // The default slack of 50 µs would be added to every round-trip time.
    let _ = nix::sys::prctl::set_timerslack(1);
    let epoch = Instant::now();
    let clock = || Time::try_from(epoch.elapsed().as_nanos()).expect("a world is short");
    let mut sim = Sim::new(world, seed);
    let mut out = Vec::with_capacity(2048);
    let mut packet = [0; 2048];
    let mut active = 0;
    while !stop.load(Ordering::Acquire) {
        let mut idle = false;
        let mut any = false;
        for _ in 0..BATCH {
            match tun.recv(&mut packet) {
                Ok(length) => {
                    any = true;
                    sim.take(clock(), &packet[..length]);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    idle = true;
                    break;
                }
                Err(error) => return Err(format!("cannot read the TUN device: {error}")),
            }
        }
        sim.run(clock(), &mut out, |packet| tun.send(packet).is_ok());
        let now = clock();
        if any {
            active = now;
        }
        // While packets pass in a stream the scanner's kernel need not wake this thread for each.
        let wait = sim.next().map(|next| next.saturating_sub(now));
        if idle && now - active > SPIN && wait.is_none_or(|wait| wait > SPIN) {
            sleep(tun, wait)?;
        }
    }
    if let Ok(cpu) = clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID) {
        sim.tally.cpu = Duration::from(cpu).as_secs_f64();
    }
    Ok(sim.tally)
}

/// Until a packet comes, `wait` nanoseconds have passed, or it is time to look whether to stop.
fn sleep(tun: &Tun, wait: Option<Time>) -> Result<(), String> {
    let wait = Duration::from_nanos(wait.unwrap_or(Time::MAX)).min(Duration::from_millis(5));
    let mut fds = [PollFd::new(tun.as_fd(), PollFlags::POLLIN)];
    match ppoll(&mut fds, Some(TimeSpec::from_duration(wait)), None) {
        Ok(_) | Err(nix::errno::Errno::EINTR) => Ok(()),
        Err(error) => Err(format!("cannot wait for the TUN device: {error}")),
    }
}
