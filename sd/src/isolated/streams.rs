//! The three standard streams of a worker.
//!
//! On Unix they are sockets and no pipes, for two reasons. The host can end them whoever else holds
//! the other end, such as a program that the worker started: no thread waits for it. And writing to
//! a worker that is gone sends the host no SIGPIPE, which kills one that was not written in Rust.

use std::{
    io::{self, Read, Write},
    process::{Child, Command},
};

/// The host's ends.
pub(super) struct Streams {
    pub(super) to: Stream,
    pub(super) from: Stream,
    pub(super) lines: Stream,
}

#[cfg(unix)]
mod system {
    use super::*;
    use std::{
        net::Shutdown,
        os::{fd::OwnedFd, unix::net::UnixStream},
    };

    pub(in super::super) struct Stream(UnixStream);

    impl Stream {
        /// The host's end, and the worker's.
        pub(in super::super) fn pair() -> io::Result<(Self, UnixStream)> {
            let (host, worker) = UnixStream::pair()?;
            #[cfg(target_vendor = "apple")]
            rustix::net::sockopt::set_socket_nosigpipe(&host, true)?;
            Ok((Self(host), worker))
        }
    }

    impl Read for Stream {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.0.read(buffer)
        }
    }

    impl Write for Stream {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            use rustix::net::{SendFlags, send};
            #[cfg(target_vendor = "apple")]
            const NO_SIGNAL: SendFlags = SendFlags::empty();
            #[cfg(not(target_vendor = "apple"))]
            const NO_SIGNAL: SendFlags = SendFlags::NOSIGNAL;
            Ok(send(&self.0, bytes, NO_SIGNAL)?)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    pub(super) fn spawn(command: &mut Command) -> io::Result<(Child, Streams)> {
        let (to, stdin) = Stream::pair()?;
        let (from, stdout) = Stream::pair()?;
        let (lines, stderr) = Stream::pair()?;
        let child = command
            .stdin(OwnedFd::from(stdin))
            .stdout(OwnedFd::from(stdout))
            .stderr(OwnedFd::from(stderr))
            .spawn()?;
        Ok((child, Streams { to, from, lines }))
    }

    /// Ends the streams when it is dropped, so that nothing waits for them any more: neither the
    /// host's threads nor the worker.
    pub(in super::super) struct Hangup([UnixStream; 3]);

    impl Hangup {
        pub(in super::super) fn of(streams: &Streams) -> io::Result<Self> {
            let Streams { to, from, lines } = streams;
            Ok(Self([to.0.try_clone()?, from.0.try_clone()?, lines.0.try_clone()?]))
        }
    }

    impl Drop for Hangup {
        fn drop(&mut self) {
            for stream in &self.0 {
                // Only one that has ended already cannot be ended.
                let _ = stream.shutdown(Shutdown::Both);
            }
        }
    }
}

/// Pipes, which end when the last of their holders does. Written for Windows, and not run there so
/// far.
#[cfg(not(unix))]
mod system {
    use super::*;
    use std::process::Stdio;

    pub(in super::super) enum Stream {
        To(std::process::ChildStdin),
        From(std::process::ChildStdout),
        Lines(std::process::ChildStderr),
    }

    impl Read for Stream {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            match self {
                Self::To(_) => Err(io::ErrorKind::Unsupported.into()),
                Self::From(stream) => stream.read(buffer),
                Self::Lines(stream) => stream.read(buffer),
            }
        }
    }

    impl Write for Stream {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            match self {
                Self::To(stream) => stream.write(bytes),
                _ => Err(io::ErrorKind::Unsupported.into()),
            }
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    pub(super) fn spawn(command: &mut Command) -> io::Result<(Child, Streams)> {
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        match (child.stdin.take(), child.stdout.take(), child.stderr.take()) {
            (Some(to), Some(from), Some(lines)) => Ok((
                child,
                Streams {
                    to: Stream::To(to),
                    from: Stream::From(from),
                    lines: Stream::Lines(lines),
                },
            )),
            _ => Err(io::Error::other("it has no pipes")),
        }
    }

    pub(in super::super) struct Hangup;

    impl Hangup {
        pub(in super::super) fn of(_: &Streams) -> io::Result<Self> {
            Ok(Self)
        }
    }
}

pub(super) use system::{Hangup, Stream};

/// Starts a program, its streams led to the host.
pub(super) fn spawn(mut command: Command) -> io::Result<(Child, Streams)> {
    system::spawn(&mut command)
}
