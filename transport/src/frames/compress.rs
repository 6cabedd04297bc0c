//! Compression on several threads, in order.
//!
//! The caller's thread cuts the plain stream, workers compress, and one more thread takes the frames in order and
//! writes them. Both queues are bounded, so memory is too. Each frame depends on its content only, so neither the
//! number of workers nor the timing changes a byte.

use std::io::{self, Write};
use std::num::NonZeroUsize;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use super::FRAMES_IN_FLIGHT;
use super::pad::write_padding;
#[cfg(any(test, feature = "craft"))]
use super::pool::BUFFER_BYTES;
use super::pool::Pool;
use super::store::{looks_incompressible, store};
use crate::limits::CHUNK_BYTES;

/// zstd's level. On a 1 GiB table, level 1 takes half the processor time of `zstd -3` with age, and gives a file
/// 0.6% larger; higher levels make people wait at the stick for little.
const LEVEL: i32 = 1;

type Frame = io::Result<Vec<u8>>;

struct Job {
    content: Vec<u8>,
    reply: SyncSender<Frame>,
}

/// Takes the plain stream and writes the compressed one, padding and all, to `W`.
pub(crate) struct Compressor<W: Write + Send + 'static> {
    content: Vec<u8>,
    pool: Arc<Pool>,
    jobs: Option<SyncSender<Job>>,
    in_order: Option<SyncSender<Receiver<Frame>>>,
    workers: Vec<JoinHandle<()>>,
    writer: Option<JoinHandle<io::Result<W>>>,
}

impl<W: Write + Send + 'static> Compressor<W> {
    pub(crate) fn new(sink: W, workers: NonZeroUsize) -> io::Result<Self> {
        let (jobs, queue) = sync_channel::<Job>(FRAMES_IN_FLIGHT);
        let (in_order, frames) = sync_channel::<Receiver<Frame>>(FRAMES_IN_FLIGHT);
        let queue = Arc::new(Mutex::new(queue));
        let pool = Arc::new(Pool::default());
        let mut compressor = Self {
            content: pool.take(),
            pool: Arc::clone(&pool),
            jobs: Some(jobs),
            in_order: Some(in_order),
            workers: Vec::with_capacity(workers.get()),
            writer: None,
        };
        for _ in 0..workers.get() {
            let (queue, pool) = (Arc::clone(&queue), Arc::clone(&pool));
            let worker = std::thread::Builder::new().name("bundle-zstd".into());
            compressor
                .workers
                .push(worker.spawn(move || work(&queue, &pool))?);
        }
        let writer = std::thread::Builder::new().name("bundle-write".into());
        compressor.writer = Some(writer.spawn(move || write_in_order(sink, &frames, &pool))?);
        Ok(compressor)
    }

    /// Adds to the plain stream.
    pub(crate) fn write(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let (now, later) = bytes.split_at(bytes.len().min(CHUNK_BYTES - self.content.len()));
            self.content.extend_from_slice(now);
            bytes = later;
            if self.content.len() == CHUNK_BYTES {
                self.send()?;
            }
        }
        Ok(())
    }

    /// Ends the stream, pads it, and gives the sink back.
    pub(crate) fn finish(mut self) -> io::Result<W> {
        if !self.content.is_empty() {
            self.send()?;
        }
        self.stop()
    }

    fn send(&mut self) -> io::Result<()> {
        let content = std::mem::replace(&mut self.content, self.pool.take());
        let (reply, frame) = sync_channel(1);
        let sent = match (&self.jobs, &self.in_order) {
            // The order is fixed first, so that the writer waits for exactly what was started.
            (Some(jobs), Some(in_order)) => {
                in_order.send(frame).is_ok() && jobs.send(Job { content, reply }).is_ok()
            }
            _ => false,
        };
        if sent {
            return Ok(());
        }
        // The writer is gone: its error is the reason.
        match self.stop() {
            Err(error) => Err(error),
            Ok(_) => Err(ended_early()),
        }
    }

    /// Lets all threads run out, and waits for them.
    fn stop(&mut self) -> io::Result<W> {
        self.jobs = None;
        self.in_order = None;
        let written = self.writer.take().map(JoinHandle::join);
        for worker in self.workers.drain(..) {
            let _ = worker.join();
        }
        match written {
            Some(Ok(written)) => written,
            _ => Err(ended_early()),
        }
    }
}

impl<W: Write + Send + 'static> Drop for Compressor<W> {
    /// A stream that is given up leaves no thread behind.
    fn drop(&mut self) {
        let _ = self.stop();
    }
}

fn ended_early() -> io::Error {
    io::Error::other("a thread that writes the bundle ended early")
}

fn work(queue: &Mutex<Receiver<Job>>, pool: &Pool) {
    let mut zstd = None;
    loop {
        let next = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(job) = next else { return };
        let mut frame = pool.take();
        let made = make_frame(&mut zstd, &job.content, &mut frame);
        pool.put(job.content);
        // A writer that is gone needs no answer.
        let _ = job.reply.send(made.map(|()| frame));
    }
}

/// One frame of `content`, compressed or stored.
#[cfg(any(test, feature = "craft"))]
pub(crate) fn compress_frame(content: &[u8]) -> Frame {
    let mut frame = Vec::with_capacity(BUFFER_BYTES);
    make_frame(&mut None, content, &mut frame)?;
    Ok(frame)
}

/// Fills `frame`, an empty buffer of at least [`BUFFER_BYTES`](super::pool::BUFFER_BYTES).
fn make_frame(
    zstd: &mut Option<zstd::bulk::Compressor<'static>>,
    content: &[u8],
    frame: &mut Vec<u8>,
) -> io::Result<()> {
    if looks_incompressible(content) {
        store(content, frame);
        return Ok(());
    }
    let zstd = match zstd {
        Some(zstd) => zstd,
        None => zstd.insert(new_compressor()?),
    };
    zstd.compress_to_buffer(content, frame)?;
    Ok(())
}

fn new_compressor() -> io::Result<zstd::bulk::Compressor<'static>> {
    let mut zstd = zstd::bulk::Compressor::new(LEVEL)?;
    zstd.include_checksum(true)?;
    zstd.include_contentsize(true)?;
    zstd.include_dictid(false)?;
    Ok(zstd)
}

fn write_in_order<W: Write>(mut sink: W, frames: &Receiver<Receiver<Frame>>, pool: &Pool) -> io::Result<W> {
    let mut compressed = 0u64;
    for frame in frames {
        let frame = frame.recv().map_err(|_| ended_early())??;
        sink.write_all(&frame)?;
        compressed += frame.len() as u64;
        pool.put(frame);
    }
    write_padding(compressed, &mut sink)?;
    Ok(sink)
}
