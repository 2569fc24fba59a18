//! Faults that are put in on purpose, between the hub and those around it: each must be found, or its check is worth nothing.

/// One fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Planted {
    /// A call reaches its server twice.
    CallTwice,
    /// A client is given another call's answer.
    AnswerOfAnother,
    /// An answer comes under another id.
    IdOfAnother,
    /// An answer never comes.
    NoAnswer,
    /// Progress comes under another token.
    ProgressOfAnother,
    /// A client does not hear of a change.
    ChangeUnheard,
    /// A list stays as it was.
    ListStale,
    /// Servers do not hear that a call was let go.
    CancelUnheard,
    /// Connections are not given back.
    ConnectionKept,
    /// Sessions are not given back.
    SessionKept,
    /// Calls that wait for their client's input are not given back.
    ParkedKept,
    /// A state serves twice.
    StateTwice,
    /// A state that was guessed serves.
    GuessTaken,
    /// A client's answer goes to another question.
    AnswerToAnother,
    /// A client is asked another call's question.
    QuestionOfAnother,
    /// A session that is in use is ended.
    SessionLost,
}

impl Planted {
    /// All of them, each with words of what must be said of it.
    pub const ALL: &[(Self, &str)] = &[
        (Self::CallTwice, "was sent more than once"),
        (Self::AnswerOfAnother, ": the answer is "),
        (Self::IdOfAnother, "has another id than"),
        (Self::NoAnswer, "has no end after"),
        (Self::ProgressOfAnother, ", its token is "),
        (Self::ChangeUnheard, "hears nothing of a change"),
        (Self::ListStale, ": shown ["),
        (Self::CancelUnheard, "its server was not told"),
        (Self::ConnectionKept, "connections of a hub that was stopped are left"),
        (Self::SessionKept, "sessions are left"),
        (Self::ParkedKept, "calls that wait for input are left"),
        (Self::StateTwice, "its state served twice"),
        (Self::GuessTaken, "a guess served"),
        (Self::AnswerToAnother, "the answer to the question of call"),
        (Self::QuestionOfAnother, "is asked of another call"),
        (Self::SessionLost, "its session is gone though it is used"),
    ];
}
