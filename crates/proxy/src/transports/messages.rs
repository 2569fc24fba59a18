//! The messages of one HTTP answer: the events of a stream, taken up again where it breaks off, or a batch.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use omni_egress::Body;
use omni_protocol::{Message, MessageError, MessageKind, SseEvent, split_batch};

use crate::demux::BATCH_MAX;
use crate::error::LinkError;
use crate::transports::events::{Events, EventsEnd, is_message};
use crate::transports::resumption::Resumption;
use crate::transports::streams::Waiting;

/// The messages of one HTTP answer.
#[derive(Debug)]
pub(crate) struct HttpMessages {
    /// What a batch held beside the message that was taken.
    waiting: VecDeque<Message>,
    source: Source,
    /// The call that is answered; answers to others are none of its.
    call: Option<u64>,
    resumption: Option<Resumption>,
    /// Where what comes for this call on the session's own stream arrives.
    aside: Option<Waiting>,
}

#[derive(Debug)]
enum Source {
    Events(Box<Events>),
    /// It ended for this reason, and may be taken up again.
    Ended(String),
}

impl HttpMessages {
    /// The events of `body`, in answer to `call`.
    pub(crate) fn stream(body: Body, call: Option<u64>, resumption: Option<Resumption>) -> Self {
        let source = Source::Events(Box::new(Events::new(body)));
        Self { waiting: VecDeque::new(), source, call, resumption, aside: None }
    }

    /// The same, which also takes what comes aside.
    pub(crate) fn beside(self, aside: Option<Waiting>) -> Self {
        Self { aside, ..self }
    }

    /// The batch `text`, in answer to `call`.
    pub(crate) fn batch(text: &Bytes, call: Option<u64>) -> Result<Self, LinkError> {
        let source = Source::Ended("its batch ended".to_owned());
        let mut messages = Self { waiting: VecDeque::new(), source, call, resumption: None, aside: None };
        messages.take_batch(text)?;
        // Nothing is read after the answer; in a batch what belongs before it may stand behind.
        messages.waiting.make_contiguous().sort_by_key(|message| message.kind() == MessageKind::Response);
        Ok(messages)
    }

    /// Gives the connection's place in the pool to others.
    pub(crate) fn set_apart(&mut self) {
        // One that is taken up again has a connection apart anyway.
        if let Source::Events(events) = &mut self.source {
            events.set_apart();
        }
    }

    /// The next message. A call of this that is let go loses nothing.
    pub(crate) async fn next(&mut self) -> Result<Message, LinkError> {
        let Some(inbox) = self.aside.as_ref().map(|aside| Arc::clone(&aside.inbox)) else { return self.own().await };
        // Streams are the rarer answer: boxed, waiting for both does not weigh on every call.
        let own = Box::pin(self.own());
        let message = tokio::select! {
            biased;
            aside = inbox.next() => aside,
            own = own => own,
        }?;
        if let Some(aside) = self.aside.as_mut().filter(|_| message.kind() == MessageKind::Response) {
            aside.answered = true;
        }
        Ok(message)
    }

    async fn own(&mut self) -> Result<Message, LinkError> {
        loop {
            if let Some(message) = self.waiting.pop_front() {
                return Ok(message);
            }
            match &mut self.source {
                Source::Events(events) => match events.next().await {
                    Ok(event) => self.take(event)?,
                    Err(EventsEnd::Ended(why)) => self.source = Source::Ended(why),
                    Err(EventsEnd::Broken(why)) => return Err(LinkError::Broken(why)),
                },
                Source::Ended(why) => {
                    let resumed = match &mut self.resumption {
                        Some(resumption) => resumption.resume().await,
                        None => Err(None),
                    };
                    match resumed {
                        Ok(body) => self.source = Source::Events(Box::new(Events::new(body))),
                        Err(None) => return Err(LinkError::Broken(format!("{why} before the answer"))),
                        Err(Some(refused)) => {
                            let why = format!("{why} before the answer and could not be taken up again: {refused}");
                            return Err(LinkError::Broken(why));
                        }
                    }
                }
            }
        }
    }

    fn take(&mut self, event: SseEvent) -> Result<(), LinkError> {
        if let Some(resumption) = &mut self.resumption {
            resumption.note(&event);
        }
        if !is_message(&event) {
            return Ok(());
        }
        match Message::parse(event.data.clone()) {
            Ok(message) => self.waiting.push_back(message),
            Err(MessageError::Batch) => self.take_batch(&event.data)?,
            Err(error) => return Err(LinkError::Broken(error.to_string())),
        }
        Ok(())
    }

    /// Takes a batch apart. Answers to other calls in it are thrown away: each call reads its own answer.
    fn take_batch(&mut self, text: &Bytes) -> Result<(), LinkError> {
        let broken = |why: String| LinkError::Broken(why);
        for part in split_batch(text, BATCH_MAX).map_err(|e| broken(e.to_string()))? {
            let message = Message::parse(part).map_err(|e| broken(e.to_string()))?;
            let foreign = message.kind() == MessageKind::Response
                && self.call.is_some_and(|call| message.id_number() != Some(call));
            match foreign {
                true => tracing::debug!(target: "server", "an answer to another call was thrown away"),
                false => self.waiting.push_back(message),
            }
        }
        Ok(())
    }
}
