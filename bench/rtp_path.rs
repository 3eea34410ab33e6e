//! What a call costs the media thread: instructions, heap calls, system calls, and CPU time beside the bare loop of
//! `recv` and `send`, over loopback sockets.
//!
//! The unit is the pair: one packet of 20 ms in and one out, two ticks of the line's clock. The peer runs between the
//! ticks on the same thread and is not counted: instructions are collected inside [`counted`] only, and the thread's
//! CPU clock is read around it. `cargo bench --bench rtp_path -- --json` prints one object for each figure.

#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "a bench is an edge: it has sockets of its own"
)]

use ringside::{
    audio::{
        g711::{self, Law},
        interleaved::{Column, ColumnMut},
    },
    id::{RtpPort, Slot},
    media::{
        PatchBay, RtpIo,
        control::{Codec, Command as Order, TapFrame, Trunk},
        patch_bay::PERIOD,
    },
    rtp::{ntp::NtpTime, packet::Outgoing},
};
use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
    hint::black_box,
    net::{SocketAddr, UdpSocket},
    process::Command,
    time::{SystemTime, UNIX_EPOCH},
};

/// Calls at once.
const SIZES: [usize; 4] = [1, 8, 24, 200];
/// The size whose instructions are split into their parts.
const SPLIT_AT: usize = 24;
/// Interleaved rounds of the CPU comparison.
const ROUNDS: usize = 15;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if let [flag, part, calls, pairs] = &args[..]
        && flag == "--run"
    {
        let (calls, pairs) = (calls.parse().expect("calls"), pairs.parse().expect("pairs"));
        run(part, calls, pairs);
        return;
    }
    let rows = Rows { json: args.iter().any(|arg| arg == "--json") };
    pin_to_one_core();
    for calls in SIZES {
        report_costs(&rows, calls);
    }
    for calls in SIZES {
        report_instructions(&rows, calls);
    }
}

/// Heap calls, system calls and CPU time of one size.
fn report_costs(rows: &Rows, calls: usize) {
    let pairs = (4_000 / calls).max(50);
    let mut ours = Calls::new(calls, true);
    let mut bare = Bare::new(calls);
    ours.run(pairs);
    bare.run(pairs);
    let (warm_heap, warm_system) = (ours.cost.heap_calls, ours.sockets.system_calls);
    let mut ratios: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let before = (ours.cost.cpu_ns, bare.cost.cpu_ns);
            ours.run(pairs);
            bare.run(pairs);
            (ours.cost.cpu_ns - before.0) / (bare.cost.cpu_ns - before.1)
        })
        .collect();
    ratios.sort_by(f64::total_cmp);
    let packets = (2 * calls * pairs * ROUNDS) as f64;
    let heap_calls = (ours.cost.heap_calls - warm_heap) as f64;
    let system_calls = (ours.sockets.system_calls - warm_system) as f64;
    // One wait for the card serves all calls.
    let waits = (2 * pairs * ROUNDS) as f64;
    rows.print(&format!("heap_calls_per_packet_{calls}"), heap_calls / packets, "calls", Some(0.0));
    let most = if calls == 1 { 3.1 } else { 2.5 };
    rows.print(
        &format!("system_calls_per_packet_{calls}"),
        (system_calls + waits) / packets,
        "calls",
        Some(most),
    );
    rows.print(
        &format!("cpu_to_bare_loop_{calls}"),
        ratios[ROUNDS / 2],
        "ratio",
        (calls <= 24).then_some(1.25),
    );
}

/// Instructions of one size without and with the tap, and their parts at [`SPLIT_AT`].
fn report_instructions(rows: &Rows, calls: usize) {
    let bare = instructions_per_pair("bare", calls);
    let bridged = instructions_per_pair("bridged", calls) - bare;
    let tapped = instructions_per_pair("tapped", calls) - bare;
    // A period of the card costs some 150 instructions of its own, which a single call bears alone: no goal there.
    let goal = |most| (calls >= 8).then_some(most);
    rows.print(&format!("instructions_per_pair_{calls}"), bridged, "instructions", goal(2_300.0));
    rows.print(&format!("instructions_per_packet_{calls}"), bridged / 2.0, "instructions", goal(1_200.0));
    rows.print(&format!("tap_instructions_per_pair_{calls}"), tapped - bridged, "instructions", None);
    if calls == SPLIT_AT {
        let codec = instructions_per_pair("codec", calls);
        rows.print("codec_instructions_per_pair", codec, "instructions", None);
        rows.print("other_instructions_per_pair", bridged - codec, "instructions", Some(250.0));
        rows.print("bare_loop_instructions_per_pair", bare, "instructions", None);
    }
}

/// One run under callgrind.
fn run(part: &str, calls: usize, pairs: usize) {
    match part {
        "bare" => Bare::new(calls).run(pairs),
        "tapped" => Calls::new(calls, true).run(pairs),
        "bridged" => Calls::new(calls, false).run(pairs),
        "codec" => codec(calls, pairs),
        _ => eprintln!("no such part: {part}"),
    }
}

/// The difference of two run lengths, so that neither start nor first packets count.
fn instructions_per_pair(part: &str, calls: usize) -> f64 {
    let (short, long) = (20, 120);
    let difference = collected(part, calls, long) - collected(part, calls, short);
    difference / ((long - short) * calls) as f64
}

fn collected(part: &str, calls: usize, pairs: usize) -> f64 {
    let itself = std::env::current_exe().expect("own path");
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null", "--toggle-collect=*counted*"])
        // Callgrind counts `rep stos` once for each byte; without it, silence costs what it costs elsewhere.
        .env("GLIBC_TUNABLES", "glibc.cpu.x86_rep_stosb_threshold=1000000")
        .arg(itself)
        .args(["--run", part, &calls.to_string(), &pairs.to_string()])
        .output()
        .expect("valgrind is installed");
    let text = String::from_utf8_lossy(&output.stderr);
    let collected = text.lines().find_map(|line| line.split_once("Collected :"));
    let (_, figure) = collected.unwrap_or_else(|| panic!("no figure from callgrind: {text}"));
    figure.trim().parse().expect("a number of instructions")
}

/// What was measured inside [`counted`].
#[derive(Clone, Copy, Default)]
struct Cost {
    cpu_ns: f64,
    heap_calls: u64,
}

impl Cost {
    fn add(&mut self, work: impl FnOnce()) {
        let heap = HEAP_CALLS.get();
        let start = thread_cpu_ns();
        counted(work);
        self.cpu_ns += thread_cpu_ns() - start - clock_cost_ns();
        self.heap_calls += HEAP_CALLS.get() - heap;
    }
}

/// Everything in here is the media thread's work; the name is known to callgrind.
#[inline(never)]
fn counted(work: impl FnOnce()) {
    work();
}

/// Sockets of the media thread, with a count of system calls.
struct Sockets {
    sockets: Vec<UdpSocket>,
    /// For the RTCP of all calls.
    control: UdpSocket,
    system_calls: u64,
}

impl Sockets {
    fn new(calls: usize) -> Self {
        Self { sockets: bind(calls), control: bind(1).swap_remove(0), system_calls: 0 }
    }
}

impl RtpIo for Sockets {
    fn receive(&mut self, rtp: RtpPort, buf: &mut [u8]) -> Option<(usize, SocketAddr)> {
        self.system_calls += 1;
        self.sockets.get(usize::from(rtp.0))?.recv_from(buf).ok()
    }

    fn send(&mut self, rtp: RtpPort, to: SocketAddr, bytes: &[u8]) {
        self.system_calls += 1;
        if let Some(socket) = self.sockets.get(usize::from(rtp.0)) {
            let _ = socket.send_to(bytes, to);
        }
    }

    fn receive_control(&mut self, _rtp: RtpPort, buf: &mut [u8]) -> Option<(usize, SocketAddr, NtpTime)> {
        self.system_calls += 1;
        let (bytes, from) = self.control.recv_from(buf).ok()?;
        Some((bytes, from, NtpTime::default()))
    }

    fn send_control(&mut self, _rtp: RtpPort, to: SocketAddr, bytes: &[u8]) {
        self.system_calls += 1;
        let _ = self.control.send_to(bytes, to);
    }

    fn now(&self) -> NtpTime {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
        NtpTime::from_unix(since.as_secs(), since.subsec_nanos())
    }
}

/// The far side of all calls: one socket and one stream each.
struct Peers {
    sockets: Vec<UdpSocket>,
    /// Where all of them want their RTCP.
    control: UdpSocket,
    streams: Vec<Outgoing>,
}

impl Peers {
    fn new(ours: &[UdpSocket]) -> Self {
        let sockets = bind(ours.len());
        for (socket, ours) in sockets.iter().zip(ours) {
            socket.connect(ours.local_addr().expect("bound")).expect("loopback");
        }
        let stream = |n| {
            let mut stream = Outgoing::new(n as u32, n as u16, n as u32);
            stream.set_format(0, 2 * PERIOD);
            stream
        };
        Self { streams: (0..ours.len()).map(stream).collect(), control: bind(1).swap_remove(0), sockets }
    }

    fn speak(&mut self) {
        for (socket, stream) in self.sockets.iter().zip(&mut self.streams) {
            for (n, code) in stream.room(2 * PERIOD).iter_mut().enumerate() {
                *code = n as u8 ^ 0x5a;
            }
            socket.send(stream.finished().expect("full")).expect("loopback");
        }
    }

    fn listen(&self) {
        let mut buf = [0; 640];
        for socket in self.sockets.iter().chain([&self.control]) {
            while socket.recv(&mut buf).is_ok() {}
        }
    }
}

/// Patched calls on one card.
struct Calls {
    bay: PatchBay,
    sockets: Sockets,
    peers: Peers,
    taps: Vec<rtrb::Consumer<TapFrame>>,
    capture: Vec<i16>,
    playback: Vec<i16>,
    clock: u64,
    cost: Cost,
}

impl Calls {
    fn new(calls: usize, tapped: bool) -> Self {
        let slots = card_slots(calls);
        let sockets = Sockets::new(calls);
        let peers = Peers::new(&sockets.sockets);
        let mut bay = PatchBay::new(slots, calls);
        let mut taps = Vec::new();
        for (n, peer) in peers.sockets.iter().enumerate() {
            let (producer, consumer) = rtrb::RingBuffer::new(16);
            taps.push(consumer);
            let trunk = Trunk {
                remote: peer.local_addr().expect("bound"),
                rtcp: peers.control.local_addr().expect("bound"),
                codec: Codec::Pcmu,
                event_pt_in: Some(101),
                event_pt_out: None,
                ptime_ms: 20,
                send: true,
                receive: true,
            };
            let order = Order::Patch {
                rtp: RtpPort(n as u8),
                slot: Slot(n as u8),
                trunk,
                source: (1, 1, 1),
                rtcp_seed: n as u128,
                notice: None,
                tap: tapped.then_some(producer),
            };
            bay.handle(order, 0, &mut drop);
        }
        let capture = (0..slots * PERIOD).map(|n| (n as i16).wrapping_mul(97)).collect();
        let playback = vec![0; slots * PERIOD];
        Self { bay, sockets, peers, taps, capture, playback, clock: 0, cost: Cost::default() }
    }

    fn run(&mut self, pairs: usize) {
        for _ in 0..pairs {
            self.peers.speak();
            self.tick();
            self.tick();
            self.peers.listen();
            self.taps.iter_mut().for_each(|tap| while tap.pop().is_ok() {});
        }
    }

    fn tick(&mut self) {
        let Self { bay, sockets, capture, playback, clock, cost, .. } = self;
        cost.add(|| bay.tick(*clock, capture, playback, sockets, &mut drop));
        *clock += PERIOD as u64;
    }
}

/// The same system calls and nothing else.
struct Bare {
    sockets: Sockets,
    peers: Peers,
    remotes: Vec<SocketAddr>,
    cost: Cost,
}

impl Bare {
    fn new(calls: usize) -> Self {
        let sockets = Sockets::new(calls);
        let peers = Peers::new(&sockets.sockets);
        let remotes = peers.sockets.iter().map(|peer| peer.local_addr().expect("bound")).collect();
        Self { sockets, peers, remotes, cost: Cost::default() }
    }

    fn run(&mut self, pairs: usize) {
        let mut buf = [0; 640];
        for _ in 0..pairs {
            self.peers.speak();
            for sends in [false, true] {
                let Self { sockets, remotes, cost, .. } = self;
                cost.add(|| {
                    for (n, &remote) in remotes.iter().enumerate() {
                        let rtp = RtpPort(n as u8);
                        while sockets.receive(rtp, &mut buf).is_some() {}
                        if sends {
                            sockets.send(rtp, remote, &buf[..172]);
                        }
                    }
                });
            }
            self.peers.listen();
        }
    }
}

/// Companding alone, as the patches do it.
fn codec(calls: usize, pairs: usize) {
    let slots = card_slots(calls);
    let capture: Vec<i16> = (0..slots * PERIOD).map(|n| (n as i16).wrapping_mul(97)).collect();
    let mut playback = vec![0; slots * PERIOD];
    let mut codes: [u8; PERIOD] = std::array::from_fn(|n| n as u8 ^ 0x5a);
    let mut office = [0; PERIOD];
    for _ in 0..2 * pairs {
        for slot in 0..calls {
            counted(|| {
                g711::decode(Law::Mu, &codes, &mut ColumnMut::new(&mut playback, slots, slot));
                Column::new(&capture, slots, slot).read(&mut office);
                g711::encode(Law::Mu, &office, &mut codes);
            });
            black_box(&playback);
        }
    }
}

/// Slots of the card that carries so many calls: 8 as the reference board, 24, or 256.
fn card_slots(calls: usize) -> usize {
    match calls {
        0..=8 => 8,
        9..=24 => 24,
        _ => 256,
    }
}

fn bind(count: usize) -> Vec<UdpSocket> {
    let bind = |_| {
        let socket = UdpSocket::bind(("127.0.0.1", 0)).expect("loopback");
        socket.set_nonblocking(true).expect("a socket");
        socket
    };
    (0..count).map(bind).collect()
}

/// Prints figures for people or for scripts.
struct Rows {
    json: bool,
}

impl Rows {
    /// A figure; `most` is the goal.
    fn print(&self, metric: &str, value: f64, unit: &str, most: Option<f64>) {
        let value = (value * 1_000.0).round() / 1_000.0;
        let ok = most.is_none_or(|most| value <= most);
        if self.json {
            let row = serde_json::json!({
                "bench": "rtp_path", "metric": metric, "value": value, "unit": unit, "goal": most, "ok": ok,
            });
            println!("{row}");
        } else {
            let goal = most.map_or_else(String::new, |most| format!("(goal: at most {most})"));
            println!("{metric:38} {value:>10} {unit:12} {goal} {}", if ok { "" } else { "MISSED" });
        }
    }
}

/// CPU time of this thread in nanoseconds.
#[allow(unsafe_code)]
fn thread_cpu_ns() -> f64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is a valid place for the result.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    time.tv_sec as f64 * 1e9 + time.tv_nsec as f64
}

/// What reading the clock adds to a figure; measured once.
fn clock_cost_ns() -> f64 {
    thread_local!(static COST: f64 = {
        let mut samples: Vec<f64> = (0..1_001).map(|_| -(thread_cpu_ns() - thread_cpu_ns())).collect();
        samples.sort_by(f64::total_cmp);
        samples[500]
    });
    COST.with(|cost| *cost)
}

/// Keeps the comparison on one core.
#[allow(unsafe_code)]
fn pin_to_one_core() {
    // SAFETY: an all-zero set is a valid empty set, and it outlives the calls.
    unsafe {
        let mut cores: libc::cpu_set_t = std::mem::zeroed();
        libc::CPU_SET(0, &mut cores);
        libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &raw const cores);
    }
}

thread_local!(static HEAP_CALLS: Cell<u64> = const { Cell::new(0) });

/// The system's allocator, counting its calls.
struct CountingHeap;

#[global_allocator]
static HEAP: CountingHeap = CountingHeap;

// SAFETY: every call goes to the system's allocator unchanged.
#[allow(unsafe_code)]
unsafe impl GlobalAlloc for CountingHeap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        HEAP_CALLS.set(HEAP_CALLS.get() + 1);
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        HEAP_CALLS.set(HEAP_CALLS.get() + 1);
        // SAFETY: the caller keeps the contract of `dealloc`.
        unsafe { System.dealloc(pointer, layout) }
    }
}
