//! What an answer of a server means for a message.

/// Why a message was not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What follows from it.
    pub verdict: Verdict,
    /// What the server said, or what went wrong; fit to be shown and stored.
    pub said: String,
}

/// What follows from a failed attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The server takes nothing at the moment: it cannot be reached, or does not accept the node. No message is to blame.
    ServerUnusable,
    /// This message may be taken later.
    Again,
    /// This message will never be taken.
    Final,
}

/// How far an attempt came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Connecting, encrypting, signing in: before anything of the message.
    Greeting,
    /// Handing the message over.
    Message,
}

/// How the attempt ended there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply {
    /// The server answered with a code.
    Code(u16),
    /// The connection broke, or the answer did not come in time.
    Broken,
    /// The message cannot be put in a form that the server takes.
    Unfit,
}

/// Judges a failed attempt at SMTP, by RFC 5321 §4.2.1: 4xx is tried again, 5xx is final. Whatever happens before the
/// message, and an answer that asks for other credentials (RFC 4954 §6: 530, 534, 535, 538), is about the node and not about
/// the message: a changed password must not turn everything that waits into dead letters.
///
/// A connection that breaks over a message counts against that message, so that one that upsets the server does not hold
/// up all others for ever.
pub fn judge(phase: Phase, reply: Reply) -> Verdict {
    match (phase, reply) {
        (Phase::Greeting, _) | (Phase::Message, Reply::Code(530 | 534 | 535 | 538)) => {
            Verdict::ServerUnusable
        }
        (Phase::Message, Reply::Unfit | Reply::Code(500..=599)) => Verdict::Final,
        (Phase::Message, Reply::Code(_) | Reply::Broken) => Verdict::Again,
    }
}

/// Judges the answer of a webhook: 408, 425, 429 and 5xx are tried again, everything else that is no success is final
/// (RFC 9110 §15). None is no answer at all.
pub fn judge_http(status: Option<u16>) -> Verdict {
    match status {
        None | Some(408 | 425 | 429 | 500..=599) => Verdict::Again,
        Some(_) => Verdict::Final,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_decides_whether_a_message_is_tried_again() {
        for (phase, reply, verdict) in [
            (Phase::Message, Reply::Code(421), Verdict::Again),
            (Phase::Message, Reply::Code(451), Verdict::Again),
            (Phase::Message, Reply::Code(550), Verdict::Final),
            (Phase::Message, Reply::Code(554), Verdict::Final),
            (Phase::Message, Reply::Broken, Verdict::Again),
            (Phase::Message, Reply::Unfit, Verdict::Final),
            (Phase::Message, Reply::Code(530), Verdict::ServerUnusable),
            (Phase::Greeting, Reply::Code(535), Verdict::ServerUnusable),
            (Phase::Greeting, Reply::Code(554), Verdict::ServerUnusable),
            (Phase::Greeting, Reply::Broken, Verdict::ServerUnusable),
            (Phase::Greeting, Reply::Unfit, Verdict::ServerUnusable),
        ] {
            assert_eq!(judge(phase, reply), verdict, "{phase:?} {reply:?}");
        }
        assert_eq!(judge_http(None), Verdict::Again);
        assert_eq!(judge_http(Some(429)), Verdict::Again);
        assert_eq!(judge_http(Some(503)), Verdict::Again);
        assert_eq!(judge_http(Some(404)), Verdict::Final);
        assert_eq!(judge_http(Some(302)), Verdict::Final);
    }
}
