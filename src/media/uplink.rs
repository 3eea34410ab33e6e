//! Line to trunk: the office leg, behind a prebuilt header; keys pressed at the phone go as telephone-events.
//!
//! ```text
//!  line --gain--> EchoCanceller --> office leg --(no key)--> encode --> packet
//!                                        '-----(key)-------> telephone-event, the tone itself is not heard
//! ```

use super::{control::Trunk, downlink::law, ears::OfficeKey, rtp_io::RtpIo};
use crate::{
    audio::{PERIOD, g711},
    id::RtpPort,
    rtp::{
        packet::{HEADER_BYTES, Outgoing},
        pressed::Pressed,
        report::Sent,
    },
};
use std::net::SocketAddr;

/// The sending half of a patch.
#[derive(Debug)]
pub(super) struct Uplink {
    outgoing: Outgoing,
    pressed: Option<Pressed>,
    sent: u64,
    /// Payload bytes of the packets sent.
    octets: u64,
}

impl Uplink {
    pub(super) fn new(trunk: &Trunk, (ssrc, seq, timestamp): (u32, u16, u32)) -> Self {
        let mut uplink =
            Self { outgoing: Outgoing::new(ssrc, seq, timestamp), pressed: None, sent: 0, octets: 0 };
        uplink.change(trunk);
        uplink
    }

    /// Applies a new SDP answer.
    pub(super) fn change(&mut self, trunk: &Trunk) {
        self.outgoing.set_format(trunk.codec.payload_type(), packet_samples(trunk));
    }

    /// The line's clock jumped by `samples`.
    pub(super) fn skip(&mut self, samples: u32) {
        self.outgoing.skip(samples);
    }

    /// One period of the office leg to the trunk, as audio or as the key that it is.
    #[inline]
    pub(super) fn send(
        &mut self,
        rtp: RtpPort,
        trunk: &Trunk,
        to: SocketAddr,
        (office, key): (&mut [i16; PERIOD], OfficeKey),
        io: &mut impl RtpIo,
    ) {
        if !trunk.send {
            self.pressed = None;
            self.outgoing.skip(PERIOD as u32);
            return;
        }
        if (key != OfficeKey::None || self.pressed.is_some())
            && let Some(payload_type) = trunk.event_pt_out
        {
            self.press(key);
            if let Some(pressed) = &mut self.pressed {
                let packet = pressed.pass(PERIOD as u32, payload_type, &mut self.outgoing);
                let (is_held, is_over) = (pressed.is_held(), pressed.is_over());
                if let Some(packet) = packet {
                    io.send(rtp, to, &packet);
                    self.octets += (packet.len() - HEADER_BYTES) as u64;
                    self.sent += 1;
                }
                if is_over {
                    self.pressed = None;
                }
                if is_held {
                    // RFC 4733 2.5.1.2: the event is sent in the place of the audio.
                    self.outgoing.skip(PERIOD as u32);
                    return;
                }
            }
            if key != OfficeKey::None {
                office.fill(0);
            }
        }
        g711::encode(law(trunk.codec), office, self.outgoing.room(PERIOD));
        if let Some(packet) = self.outgoing.finished() {
            self.octets += (packet.len() - HEADER_BYTES) as u64;
            io.send(rtp, to, packet);
            self.sent += 1;
        }
    }

    fn press(&mut self, key: OfficeKey) {
        match key {
            OfficeKey::Began(key, ago) => {
                // The clock of the packets stands at the begin of this period.
                let ago = ago.saturating_sub(PERIOD as u32);
                self.pressed = Some(Pressed::new(key.event_code(), ago, &self.outgoing));
            }
            OfficeKey::Held | OfficeKey::Suspected => {}
            OfficeKey::None | OfficeKey::Ended => {
                if let Some(pressed) = &mut self.pressed {
                    pressed.release();
                }
            }
        }
    }

    /// What was sent so far, for a report of this moment.
    pub(super) const fn sent(&self) -> Sent {
        Sent { packets: self.sent, octets: self.octets, timestamp: self.outgoing.now() }
    }
}

/// Samples of a packet: whole periods, 10 to 60 ms.
fn packet_samples(trunk: &Trunk) -> usize {
    usize::from(trunk.ptime_ms / 10).clamp(1, 6) * PERIOD
}
