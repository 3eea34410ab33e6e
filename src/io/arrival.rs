//! Datagrams with the time at which the kernel took them, so that a socket need not be asked at once.
#![allow(unsafe_code)]

use super::clock::Clock;
use crate::rtp::ntp::NtpTime;
use socket2::SockAddr;
use std::{
    io,
    net::{SocketAddr, UdpSocket},
    os::fd::AsRawFd,
    ptr,
};

/// Words of room for control messages: one timestamp needs four.
const CONTROL_WORDS: usize = 8;

/// Has the kernel note when datagrams arrive at `socket`, by the wall clock in nanoseconds (`SO_TIMESTAMPNS`).
///
/// # Errors
/// The kernel does not know the option.
pub(super) fn note_arrivals(socket: &impl AsRawFd) -> io::Result<()> {
    let on: libc::c_int = 1;
    // SAFETY: the option's value is the `int` that it asks for, and outlives the call.
    let set = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_TIMESTAMPNS,
            (&raw const on).cast(),
            size_of::<libc::c_int>() as libc::socklen_t,
        )
    };
    if set == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Receives one datagram that waits, cut to the length of `buf`: its length, its sender, and when it arrived; now, if
/// the kernel does not say.
pub(super) fn receive(socket: &UdpSocket, buf: &mut [u8]) -> Option<(usize, SocketAddr, NtpTime)> {
    let mut control = [0_u64; CONTROL_WORDS];
    let mut part = libc::iovec { iov_base: buf.as_mut_ptr().cast(), iov_len: buf.len() };
    // SAFETY: all zeros is an empty header.
    let mut header: libc::msghdr = unsafe { std::mem::zeroed() };
    header.msg_iov = &raw mut part;
    header.msg_iovlen = 1;
    header.msg_control = control.as_mut_ptr().cast();
    header.msg_controllen = size_of_val(&control) as _;
    let receive = |name: *mut _, length: *mut libc::socklen_t| {
        header.msg_name = name as *mut libc::c_void;
        // SAFETY: `try_init` lends a name and its length; buffer and control room are ours and outlive the call.
        let received = unsafe {
            header.msg_namelen = *length;
            let received = libc::recvmsg(socket.as_raw_fd(), &raw mut header, libc::MSG_DONTWAIT);
            *length = header.msg_namelen;
            received
        };
        usize::try_from(received).map_err(|_| io::Error::last_os_error())
    };
    // SAFETY: the kernel has written a socket address and its length if it reports success.
    let (bytes, from) = unsafe { SockAddr::try_init(receive) }.ok()?;
    Some((bytes.min(buf.len()), from.as_socket()?, arrival(&header).unwrap_or_else(Clock::ntp)))
}

/// The arrival time among the control messages of a header that the kernel filled.
fn arrival(header: &libc::msghdr) -> Option<NtpTime> {
    let wanted = size_of::<libc::timespec>();
    // SAFETY: the walk stays within the control room of the header, and a message of the wanted type and length holds
    // the value that is read from it.
    unsafe {
        let mut message = libc::CMSG_FIRSTHDR(header);
        while let Some(known) = message.as_ref() {
            let length = libc::CMSG_LEN(wanted as libc::c_uint);
            let long_enough = u64::try_from(known.cmsg_len).is_ok_and(|bytes| bytes == u64::from(length));
            if (known.cmsg_level, known.cmsg_type) == (libc::SOL_SOCKET, libc::SCM_TIMESTAMPNS) && long_enough
            {
                let at: libc::timespec = ptr::read_unaligned(libc::CMSG_DATA(message).cast());
                return Some(NtpTime::from_unix(at.tv_sec.try_into().ok()?, at.tv_nsec.try_into().ok()?));
            }
            message = libc::CMSG_NXTHDR(header, message);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{thread::sleep, time::Duration};

    fn ms_since(at: NtpTime) -> u32 {
        Clock::ntp().units_since(at) * 1_000 / 65_536
    }

    #[test]
    fn a_datagram_keeps_the_time_of_its_arrival_while_it_waits() {
        for place in ["127.0.0.1:0", "[::1]:0"] {
            let (ours, peer) = (UdpSocket::bind(place).unwrap(), UdpSocket::bind(place).unwrap());
            note_arrivals(&ours).unwrap();
            // The kernel begins to keep times a little later.
            sleep(Duration::from_millis(100));
            let mut buf = [0; 8];
            assert_eq!(receive(&ours, &mut buf), None);
            let sent = Clock::ntp();
            peer.send_to(b"0123456789", ours.local_addr().unwrap()).unwrap();
            sleep(Duration::from_millis(50));
            let (bytes, from, at) = receive(&ours, &mut buf).unwrap();
            assert_eq!(
                (bytes, &buf, from),
                (8, b"01234567", peer.local_addr().unwrap()),
                "cut to the buffer"
            );
            assert!(at.0 >= sent.0 && ms_since(at) >= 50, "{at:?} after {sent:?}");
        }
    }

    #[test]
    fn without_the_option_it_arrives_when_it_is_read() {
        let (ours, peer) = (UdpSocket::bind("127.0.0.1:0").unwrap(), UdpSocket::bind("127.0.0.1:0").unwrap());
        peer.send_to(b"x", ours.local_addr().unwrap()).unwrap();
        sleep(Duration::from_millis(50));
        let before = Clock::ntp();
        let (_, _, at) = receive(&ours, &mut [0; 8]).unwrap();
        assert!(at.0 >= before.0);
    }
}
