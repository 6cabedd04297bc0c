//! Decompression on several threads, in order and in bounded memory.

use std::io::Read;
use std::num::NonZeroUsize;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Mutex, PoisonError};

use super::pool::Pool;
use super::split::{CutFrame, Splitter, decompress};
use super::{FRAMES_IN_FLIGHT, FrameError};

type Content = Result<Vec<u8>, FrameError>;

struct Job {
    frame: CutFrame,
    reply: SyncSender<Content>,
}

enum Next {
    Frame(Receiver<Content>),
    Failed(FrameError),
    /// The padding was checked, and nothing followed.
    End,
}

/// The contents of the frames, one after the other.
pub(crate) struct Frames<'a> {
    queue: Receiver<Next>,
    pool: &'a Pool,
    ended: bool,
}

impl Frames<'_> {
    /// Gives back a content that is not needed any more.
    pub(crate) fn recycle(&self, content: Vec<u8>) {
        self.pool.put(content);
    }

    /// The next frame's content, or none at the checked end of the stream.
    pub(crate) fn next(&mut self) -> Result<Option<Vec<u8>>, FrameError> {
        if self.ended {
            return Ok(None);
        }
        match self.queue.recv() {
            Ok(Next::Frame(content)) => content.recv().map_err(|_| FrameError::Worker)?.map(Some),
            Ok(Next::Failed(error)) => Err(error),
            Ok(Next::End) => {
                self.ended = true;
                Ok(None)
            }
            Err(_) => Err(FrameError::Worker),
        }
    }
}

/// Reads, cuts and decompresses `source` while `consume` takes the contents.
pub(crate) fn expand<R: Read + Send, T>(
    source: R,
    max_content: u64,
    workers: NonZeroUsize,
    consume: impl FnOnce(Frames<'_>) -> T,
) -> T {
    let (jobs, queue) = sync_channel::<Job>(FRAMES_IN_FLIGHT);
    let queue = Mutex::new(queue);
    let pool = Pool::default();
    let (in_order, frames) = sync_channel::<Next>(FRAMES_IN_FLIGHT);
    std::thread::scope(|scope| {
        for _ in 0..workers.get() {
            scope.spawn(|| work(&queue, &pool));
        }
        let spare = &pool;
        scope.spawn(move || read(Splitter::new(source, max_content), &jobs, &in_order, spare));
        // `consume` owns the receiving end: when it returns early, the reader's next send fails and all threads end.
        consume(Frames {
            queue: frames,
            pool: &pool,
            ended: false,
        })
    })
}

fn read<R: Read>(
    mut splitter: Splitter<R>,
    jobs: &SyncSender<Job>,
    in_order: &SyncSender<Next>,
    pool: &Pool,
) {
    loop {
        let (reply, content) = sync_channel(1);
        let frame = match splitter.next(pool.take()) {
            Ok(Some(frame)) => frame,
            // Whether anybody still listens or not: the stream is over.
            Ok(None) => {
                let _ = in_order.send(Next::End);
                return;
            }
            Err(error) => {
                let _ = in_order.send(Next::Failed(error));
                return;
            }
        };
        if in_order.send(Next::Frame(content)).is_err() || jobs.send(Job { frame, reply }).is_err() {
            return;
        }
    }
}

fn work(queue: &Mutex<Receiver<Job>>, pool: &Pool) {
    let mut zstd = None;
    loop {
        let next = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(job) = next else { return };
        let mut content = pool.take();
        let made = decompress_with(&mut zstd, &job.frame, &mut content);
        pool.put(job.frame.bytes);
        let _ = job.reply.send(made.map(|()| content));
    }
}

fn decompress_with(
    zstd: &mut Option<zstd::bulk::Decompressor<'static>>,
    frame: &CutFrame,
    content: &mut Vec<u8>,
) -> Result<(), FrameError> {
    let zstd = match zstd {
        Some(zstd) => zstd,
        None => zstd.insert(zstd::bulk::Decompressor::new().map_err(|_| FrameError::Worker)?),
    };
    decompress(zstd, frame, content)
}
