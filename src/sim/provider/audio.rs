//! The provider's ear and mouth: G.711 µ-law over RTP, paced by the clock of this machine.

use std::{
    f64::consts::TAU,
    io,
    net::{IpAddr, SocketAddr, UdpSocket},
    sync::{Arc, Mutex, PoisonError},
    thread::JoinHandle,
    time::{Duration, Instant},
};

/// Samples of one packet: 20 ms at 8 kHz.
const PACKET_SAMPLES: usize = 160;
const PACKET: Duration = Duration::from_millis(20);
const RTP_HEADER: usize = 12;
/// Payload type of µ-law (RFC 3551 6).
const PCMU: u8 = 0;
/// What is kept of what was heard: 3 hours at 8 kHz, so that a forgotten call does not fill the memory.
const MAX_HEARD_SAMPLES: usize = 3 * 3600 * 8000;

/// What a caller says.
#[derive(Clone, Debug)]
pub enum Speech {
    /// Nothing: packets of silence.
    Silence,
    /// A steady tone.
    Tone {
        /// Frequency in Hz.
        hz: f64,
        /// Peak, 0..=32767.
        peak: i16,
    },
    /// Samples at 8 kHz, then silence.
    Samples(Arc<[i16]>),
}

impl Speech {
    fn sample(&self, at: u64) -> i16 {
        match self {
            Self::Silence => 0,
            Self::Tone { hz, peak } => {
                let turns = (at as f64 * hz / 8000.0).fract();
                ((turns * TAU).sin() * f64::from(*peak)).round() as i16
            }
            Self::Samples(samples) => {
                usize::try_from(at).ok().and_then(|at| samples.get(at)).copied().unwrap_or_default()
            }
        }
    }
}

/// One call's audio: listens from the start, speaks once it knows to whom.
pub(super) struct Audio {
    shared: Arc<Mutex<Shared>>,
    local: SocketAddr,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    speak_to: Option<SocketAddr>,
    heard: Vec<i16>,
    packets: u64,
    over: bool,
}

impl Audio {
    /// Takes a free port of `ip` and starts to listen.
    pub(super) fn open(ip: IpAddr, speech: Speech) -> io::Result<Self> {
        let socket = UdpSocket::bind((ip, 0))?;
        let local = socket.local_addr()?;
        let shared = Arc::new(Mutex::new(Shared::default()));
        let beside = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("provider-rtp".to_owned())
            .spawn(move || talk(&socket, &speech, &beside))?;
        Ok(Self { shared, local, thread: Some(thread) })
    }

    /// Where audio is received.
    pub(super) const fn local(&self) -> SocketAddr {
        self.local
    }

    /// Begins to speak.
    pub(super) fn speak_to(&self, peer: SocketAddr) {
        lock(&self.shared).speak_to = Some(peer);
    }

    /// Ends the audio; hands back what was heard and in how many packets.
    pub(super) fn close(mut self) -> (Vec<i16>, u64) {
        self.finish();
        let mut shared = lock(&self.shared);
        (std::mem::take(&mut shared.heard), shared.packets)
    }

    fn finish(&mut self) {
        lock(&self.shared).over = true;
        if let Some(thread) = self.thread.take() {
            // A panic of the thread has been printed; the audio up to it is still good.
            let _ = thread.join();
        }
    }
}

impl Drop for Audio {
    fn drop(&mut self) {
        self.finish();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The thread: a packet out each 20 ms, everything in as it comes.
fn talk(socket: &UdpSocket, speech: &Speech, shared: &Mutex<Shared>) {
    let mut buffer = [0; 2048];
    let mut ear = Ear::default();
    let mut packet = Vec::with_capacity(RTP_HEADER + PACKET_SAMPLES);
    let mut sent = 0_u64;
    let mut due = Instant::now();
    loop {
        let speak_to = {
            let shared = lock(shared);
            if shared.over {
                return;
            }
            shared.speak_to
        };
        let wait = due.saturating_duration_since(Instant::now());
        if wait.is_zero() {
            due += PACKET;
            if let Some(peer) = speak_to {
                write_packet(&mut packet, speech, sent);
                sent += 1;
                // A lost packet is the network's affair, as it is for any RTP sender.
                let _ = socket.send_to(&packet, peer);
            }
            continue;
        }
        // The only error is a zero time-out, which `wait` is not.
        let _ = socket.set_read_timeout(Some(wait));
        if let Ok((length, _)) = socket.recv_from(&mut buffer) {
            let mut shared = lock(shared);
            shared.packets += 1;
            ear.hear(buffer.get(..length).unwrap_or_default(), &mut shared.heard);
        }
    }
}

/// Packet number `sent` of the speech (RFC 3550 5.1).
fn write_packet(packet: &mut Vec<u8>, speech: &Speech, sent: u64) {
    const SSRC: u32 = 0x7072_6f76;
    let first_sample = sent * PACKET_SAMPLES as u64;
    let marker = if sent == 0 { 0x80 } else { 0 };
    packet.clear();
    packet.extend([0x80, marker | PCMU]);
    packet.extend((sent as u16).to_be_bytes());
    packet.extend((first_sample as u32).to_be_bytes());
    packet.extend(SSRC.to_be_bytes());
    packet.extend((first_sample..first_sample + PACKET_SAMPLES as u64).map(|at| to_ulaw(speech.sample(at))));
}

/// Puts what comes in where its timestamp says, silence where nothing came.
#[derive(Default)]
struct Ear {
    /// Timestamp of the first sample.
    origin: Option<u32>,
}

impl Ear {
    fn hear(&mut self, packet: &[u8], heard: &mut Vec<i16>) {
        let word = |at: usize| packet.get(at..at + 4).and_then(|b| b.try_into().ok()).map(u32::from_be_bytes);
        let (Some(stamp), Some(payload)) = (word(4), packet.get(RTP_HEADER..)) else { return };
        if packet[0] >> 6 != 2 || packet[1] & 0x7f != PCMU {
            return;
        }
        let origin = *self.origin.get_or_insert(stamp);
        let at = stamp.wrapping_sub(origin) as usize;
        let end = at + payload.len();
        if end > MAX_HEARD_SAMPLES {
            return;
        }
        if heard.len() < end {
            heard.resize(end, 0);
        }
        for (sample, code) in heard[at..end].iter_mut().zip(payload) {
            *sample = from_ulaw(*code);
        }
    }
}

/// G.711 table 2b: sign, 3 bits of segment, 4 of step, all inverted; 14 bits scaled to 16.
fn from_ulaw(code: u8) -> i16 {
    let bits = !code;
    let (segment, step) = (u32::from(bits >> 4 & 7), i16::from(bits & 15));
    let magnitude = ((2 * step + 33) << segment) - 33;
    if bits & 0x80 == 0 { 4 * magnitude } else { -4 * magnitude }
}

/// The code whose value is nearest to `sample`.
fn to_ulaw(sample: i16) -> u8 {
    let sign = if sample < 0 { 0x80 } else { 0 };
    let magnitude = i32::from(sample).abs();
    // The values grow with the inverted code, so the nearest is one of the two around the place of `sample`.
    let value = |bits: u8| i32::from(from_ulaw(!bits));
    let (mut low, mut high) = (0_u8, 127_u8);
    while high - low > 1 {
        let middle = low.midpoint(high);
        if value(middle) <= magnitude { low = middle } else { high = middle }
    }
    let nearest = if magnitude - value(low) <= value(high) - magnitude { low } else { high };
    !(nearest | sign)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_comes_back_and_the_loudest_value_is_known() {
        for code in 0..=255_u8 {
            let back = to_ulaw(from_ulaw(code));
            // Both zeros have the value 0.
            assert!(back == code || from_ulaw(code) == 0, "{code:#04x} {back:#04x}");
        }
        assert_eq!((from_ulaw(0x80), from_ulaw(0x00)), (32_124, -32_124));
        assert_eq!((to_ulaw(i16::MAX), to_ulaw(i16::MIN)), (0x80, 0x00));
    }

    #[test]
    fn two_callers_hear_each_other() {
        let ip = IpAddr::from([127, 0, 0, 1]);
        let tone = Speech::Tone { hz: 1000.0, peak: 8000 };
        let a = Audio::open(ip, tone).unwrap();
        let b = Audio::open(ip, Speech::Silence).unwrap();
        a.speak_to(b.local());
        std::thread::sleep(Duration::from_millis(200));
        let (_, _) = a.close();
        let (heard, packets) = b.close();
        assert!(packets >= 5 && heard.len() >= 5 * PACKET_SAMPLES, "{packets} packets");
        let peak = heard.iter().map(|sample| sample.abs()).max().unwrap();
        assert!((7700..=8300).contains(&peak), "{peak}");
    }

    #[test]
    fn a_late_packet_goes_where_it_belongs_and_a_lost_one_leaves_silence() {
        let (mut ear, mut heard, mut packet) = (Ear::default(), Vec::new(), Vec::new());
        let speech = Speech::Samples((0..640).map(|n| (n / 160 + 1) as i16 * 1000).collect());
        for number in [0, 3, 1] {
            write_packet(&mut packet, &speech, number);
            ear.hear(&packet, &mut heard);
        }
        let near = |at: usize, value: i16| (heard[at] - value).abs() <= value / 16;
        assert!(near(0, 1000) && near(160, 2000) && heard[320..480] == [0; 160] && near(480, 4000));
    }
}
