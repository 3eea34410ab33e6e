//! A patch bay with queues for sockets, a line whose voice is set and whose ear is read, and a count of heap calls.

#![allow(dead_code, reason = "each test binary uses its part")]

use ringside::{
    audio::line_ear::Heard,
    id::{RtpPort, Slot},
    media::{
        PatchBay, RtpIo,
        control::{Codec, Command, Event, PatchCounters, TapFrame, Trunk},
        patch_bay::PortAudio,
    },
    rtp::{ntp::NtpTime, packet::Packet, rtcp::is_rtcp},
};
use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
    collections::{BTreeMap, VecDeque},
    net::SocketAddr,
    sync::Arc,
};

pub(crate) const PERIOD: usize = 80;
/// The trunk's address as SDP names it.
pub(crate) const OFFICE: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1)), 4_000);

/// The trunk's address for RTCP as SDP names it.
pub(crate) const OFFICE_RTCP: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1)), 4_001);

pub(crate) fn address(last: u8) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, last], 4_000))
}

pub(crate) fn trunk() -> Trunk {
    Trunk {
        remote: OFFICE,
        rtcp: OFFICE_RTCP,
        codec: Codec::Pcmu,
        event_pt_in: None,
        event_pt_out: None,
        ptime_ms: 20,
        send: true,
        receive: true,
    }
}

pub(crate) fn rtp(payload_type: u8, seq: u16, timestamp: u32, ssrc: u32, payload: &[u8]) -> Vec<u8> {
    let builder = rtp_rs::RtpPacketBuilder::new().payload_type(payload_type).sequence(seq.into());
    builder.timestamp(timestamp).ssrc(ssrc).payload(payload).build().unwrap()
}

/// A telephone-event packet of the stream 7.
pub(crate) fn event_packet(pt: u8, seq: u16, timestamp: u32, code: u8, samples: u16, end: bool) -> Vec<u8> {
    let [high, low] = samples.to_be_bytes();
    rtp(pt, seq, timestamp, 7, &[code, if end { 0x8a } else { 0x0a }, high, low])
}

/// Samples that differ from each other, as speech does.
pub(crate) fn speech(seed: u32, samples: usize) -> Vec<i16> {
    let mut state = seed.wrapping_mul(2_654_435_769).wrapping_add(1);
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 18) as i16
    };
    (0..samples).map(|_| next()).collect()
}

/// A packet that the box sent.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    pub(crate) to: SocketAddr,
    pub(crate) ssrc: u32,
    pub(crate) seq: u16,
    pub(crate) timestamp: u32,
    pub(crate) marker: bool,
    pub(crate) payload: Vec<u8>,
}

/// RTCP that the box sent.
#[derive(Clone, Debug)]
pub(crate) struct Report {
    pub(crate) to: SocketAddr,
    pub(crate) shared_port: bool,
    pub(crate) at: NtpTime,
    pub(crate) bytes: Vec<u8>,
}

/// Queues instead of sockets. They allocate, so they tell the heap count to look away.
#[derive(Default)]
struct Queues {
    waiting: BTreeMap<u8, VecDeque<(Vec<u8>, SocketAddr)>>,
    sent: BTreeMap<u8, Vec<Sent>>,
    /// RTCP that waits, with the time of its arrival.
    control: BTreeMap<u8, VecDeque<(Vec<u8>, SocketAddr, NtpTime)>>,
    /// RTCP that was sent, from whichever port, and when.
    reports: Vec<Report>,
    now: NtpTime,
}

impl RtpIo for Queues {
    fn receive(&mut self, rtp: RtpPort, buf: &mut [u8]) -> Option<(usize, SocketAddr)> {
        uncounted(|| {
            let (bytes, from) = self.waiting.get_mut(&rtp.0)?.pop_front()?;
            let len = bytes.len().min(buf.len());
            buf[..len].copy_from_slice(&bytes[..len]);
            Some((len, from))
        })
    }

    fn send(&mut self, rtp: RtpPort, to: SocketAddr, bytes: &[u8]) {
        uncounted(|| {
            if is_rtcp(bytes) {
                let at = self.now;
                self.reports.push(Report { to, shared_port: true, at, bytes: bytes.to_vec() });
                return;
            }
            let Packet { ssrc, seq, timestamp, marker, payload, .. } = Packet::parse(bytes).unwrap();
            let sent = Sent { to, ssrc, seq, timestamp, marker, payload: bytes[payload].to_vec() };
            self.sent.entry(rtp.0).or_default().push(sent);
        });
    }

    fn receive_control(&mut self, rtp: RtpPort, buf: &mut [u8]) -> Option<(usize, SocketAddr, NtpTime)> {
        uncounted(|| {
            let (bytes, from, at) = self.control.get_mut(&rtp.0)?.pop_front()?;
            let len = bytes.len().min(buf.len());
            buf[..len].copy_from_slice(&bytes[..len]);
            Some((len, from, at))
        })
    }

    fn send_control(&mut self, _rtp: RtpPort, to: SocketAddr, bytes: &[u8]) {
        let at = self.now;
        uncounted(|| self.reports.push(Report { to, shared_port: false, at, bytes: bytes.to_vec() }));
    }

    fn now(&self) -> NtpTime {
        self.now
    }
}

/// The media thread and what is around it.
pub(crate) struct Plane {
    bay: PatchBay,
    queues: Queues,
    slots: usize,
    clock: u64,
    capture: Vec<i16>,
    playback: Vec<i16>,
    events: Vec<Event>,
    taps: Vec<rtrb::Consumer<TapFrame>>,
    heap_calls: u64,
}

impl Plane {
    /// Frames that a tap's ring holds.
    pub(crate) const TAP_FRAMES: usize = 400;

    /// Lines without echo, so that samples come through as they are.
    pub(crate) fn new(slots: usize, ports: usize) -> Self {
        let silent = PortAudio { echo_canceller: false, ..PortAudio::default() };
        Self::with_ports(slots, ports, silent)
    }

    /// Every port set like this.
    pub(crate) fn with_ports(slots: usize, ports: usize, audio: PortAudio) -> Self {
        let set = |bay: PatchBay, slot| bay.with_port(Slot(slot as u8), audio);
        Self {
            bay: (0..slots).fold(PatchBay::new(slots, ports), set),
            queues: Queues::default(),
            slots,
            clock: 12_345 * 80,
            capture: vec![0; slots * PERIOD],
            playback: vec![0; slots * PERIOD],
            events: Vec::new(),
            taps: Vec::new(),
            heap_calls: 0,
        }
    }

    /// A card that plays so many periods after it was given.
    pub(crate) fn with_lead(mut self, periods: usize) -> Self {
        self.bay = self.bay.with_lead(periods);
        self
    }

    pub(crate) fn clock(&self) -> u64 {
        self.clock
    }

    pub(crate) fn command(&mut self, command: Command) {
        let (bay, events) = (&mut self.bay, &mut self.events);
        let mut sink = |event| uncounted(|| events.push(event));
        self.heap_calls += counted(|| bay.handle(command, self.clock, &mut sink));
    }

    /// Returns the name of its tap.
    pub(crate) fn patch(&mut self, rtp: u8, slot: u8, trunk: Trunk, notice: Option<Arc<[i16]>>) -> usize {
        let (producer, consumer) = rtrb::RingBuffer::new(Self::TAP_FRAMES);
        self.taps.push(consumer);
        let (rtp, slot) = (RtpPort(rtp), Slot(slot));
        self.command(Command::Patch {
            rtp,
            slot,
            trunk,
            source: (0xabcd, 1_000, 50_000),
            rtcp_seed: 0x1234_5678_9abc << 70,
            notice,
            tap: Some(producer),
        });
        self.taps.len() - 1
    }

    pub(crate) fn unpatch(&mut self, rtp: u8) -> PatchCounters {
        self.command(Command::Unpatch { rtp: RtpPort(rtp) });
        match self.events.last() {
            Some(Event::Unpatched { rtp: port, counters, tap: Some(_) }) if port.0 == rtp => *counters,
            other => panic!("not unpatched: {other:?}"),
        }
    }

    pub(crate) fn arrives(&mut self, rtp: u8, from: SocketAddr, bytes: Vec<u8>) {
        self.queues.waiting.entry(rtp).or_default().push_back((bytes, from));
    }

    /// RTCP arrives at the port beside an RTP port, now.
    pub(crate) fn control_arrives(&mut self, rtp: u8, from: SocketAddr, bytes: Vec<u8>) {
        self.queues.control.entry(rtp).or_default().push_back((bytes, from, ntp(self.clock)));
    }

    /// RTCP sent so far.
    pub(crate) fn reports(&self) -> &[Report] {
        &self.queues.reports
    }

    pub(crate) fn waiting(&self, rtp: u8) -> usize {
        self.queues.waiting.get(&rtp).map_or(0, VecDeque::len)
    }

    /// What the line says in the next tick.
    pub(crate) fn says(&mut self, slot: usize, samples: &[i16]) {
        for (frame, &sample) in self.capture.chunks_mut(self.slots).zip(samples) {
            frame[slot] = sample;
        }
    }

    pub(crate) fn run(&mut self, ticks: usize) {
        for _ in 0..ticks {
            // What is left from the tick before must be overwritten.
            self.playback.fill(i16::MIN);
            self.queues.now = ntp(self.clock);
            let Self { bay, queues, events, capture, playback, .. } = self;
            let mut sink = |event| uncounted(|| events.push(event));
            self.heap_calls += counted(|| bay.tick(self.clock, capture, playback, queues, &mut sink));
            self.clock += PERIOD as u64;
            self.capture.fill(0);
        }
    }

    /// The line's clock runs on without a tick.
    pub(crate) fn stall(&mut self, samples: u64) {
        self.clock += samples;
    }

    pub(crate) fn heard(&self, slot: usize) -> [i16; PERIOD] {
        std::array::from_fn(|n| self.playback[n * self.slots + slot])
    }

    pub(crate) fn tick_and_hear(&mut self, slot: usize) -> [i16; PERIOD] {
        self.run(1);
        self.heard(slot)
    }

    pub(crate) fn sent(&self, rtp: u8) -> Vec<Sent> {
        self.queues.sent.get(&rtp).cloned().unwrap_or_default()
    }

    pub(crate) fn frames(&mut self, tap: usize) -> Vec<TapFrame> {
        std::iter::from_fn(|| self.taps[tap].pop().ok()).collect()
    }

    pub(crate) fn events(&self) -> &[Event] {
        &self.events
    }

    /// Sounds that were given back.
    pub(crate) fn spent(&self) -> usize {
        self.events.iter().filter(|event| matches!(event, Event::Spent(_))).count()
    }

    /// What the ear of a slot heard.
    pub(crate) fn ear_heard(&self, slot: u8) -> Vec<Heard> {
        let heard = |event: &Event| match event {
            Event::Heard { slot: at, heard } if at.0 == slot => Some(*heard),
            _ => None,
        };
        self.events.iter().filter_map(heard).collect()
    }

    pub(crate) fn heap_calls(&self) -> u64 {
        self.heap_calls
    }
}

/// The time of day, which goes by the line's clock here.
pub(crate) fn ntp(clock: u64) -> NtpTime {
    NtpTime::from_unix(1_700_000_000 + clock / 8_000, (clock % 8_000) as u32 * 125_000)
}

/// Counts the heap calls of its own thread while it is told to.
struct CountingHeap;

thread_local! {
    static COUNTS: Cell<bool> = const { Cell::new(false) };
    static CALLS: Cell<u64> = const { Cell::new(0) };
}

fn note_call() {
    if COUNTS.get() {
        CALLS.set(CALLS.get() + 1);
    }
}

/// Heap calls of `work`.
fn counted(work: impl FnOnce()) -> u64 {
    let before = CALLS.get();
    COUNTS.set(true);
    work();
    COUNTS.set(false);
    CALLS.get() - before
}

fn uncounted<T>(work: impl FnOnce() -> T) -> T {
    let counts = COUNTS.replace(false);
    let result = work();
    COUNTS.set(counts);
    result
}

#[global_allocator]
static HEAP: CountingHeap = CountingHeap;

// SAFETY: every call goes to the system's allocator unchanged.
#[allow(unsafe_code)]
unsafe impl GlobalAlloc for CountingHeap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note_call();
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        note_call();
        // SAFETY: the caller keeps the contract of `dealloc`.
        unsafe { System.dealloc(pointer, layout) }
    }
}
