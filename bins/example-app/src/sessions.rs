//! What this process remembers of each browser: logins that have begun, and what the last one brought.
//!
//! A browser holds nothing but a random identifier. Sessions end after a day and there is a limit to them, the oldest goes first.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use openidconnect::CsrfToken;

use crate::relying_party::{Grant, PendingLogin};

/// All sessions.
#[derive(Default)]
pub(crate) struct Sessions(Mutex<HashMap<String, Session>>);

struct Session {
    began: Instant,
    /// The oldest first.
    pending: Vec<PendingLogin>,
    grant: Option<Grant>,
}

impl Sessions {
    /// Notes a login that begins, in the given session or a new one, and says in which.
    pub(crate) fn begin_login(&self, id: Option<&str>, login: PendingLogin) -> String {
        let mut sessions = self.lock();
        let id = match id {
            Some(id) if sessions.contains_key(id) => id.to_owned(),
            _ => new_id(),
        };
        let session = sessions.entry(id.clone()).or_insert_with(Session::new);
        if session.pending.len() >= MAX_PENDING {
            session.pending.remove(0);
        }
        session.pending.push(login);
        id
    }

    /// Takes the login that this `state` belongs to; a second time there is none.
    pub(crate) fn take_login(&self, id: &str, state: &str) -> Option<PendingLogin> {
        let mut sessions = self.lock();
        let pending = &mut sessions.get_mut(id)?.pending;
        let index = pending.iter().position(|login| login.belongs_to(state))?;
        Some(pending.remove(index))
    }

    /// Ends the given session and keeps what a login brought in a new one: an identifier from before the login is worth nothing
    /// after it.
    pub(crate) fn logged_in(&self, old: &str, grant: Grant) -> String {
        let mut sessions = self.lock();
        let mut session = sessions.remove(old).unwrap_or_else(Session::new);
        session.grant = Some(grant);
        let id = new_id();
        sessions.insert(id.clone(), session);
        id
    }

    /// What the last login brought.
    pub(crate) fn grant(&self, id: &str) -> Option<Grant> {
        self.lock().get(id)?.grant.clone()
    }

    /// Keeps what a refresh brought, unless the session has ended meanwhile.
    pub(crate) fn refreshed(&self, id: &str, grant: Grant) {
        if let Some(session) = self.lock().get_mut(id) {
            session.grant = Some(grant);
        }
    }

    /// Forgets the session.
    pub(crate) fn end(&self, id: &str) {
        self.lock().remove(id);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Session>> {
        let mut sessions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        sessions.retain(|_, session| session.began.elapsed() < LIFETIME);
        while sessions.len() > MAX_SESSIONS {
            let oldest = sessions.iter().min_by_key(|(_, session)| session.began);
            let Some(id) = oldest.map(|(id, _)| id.clone()) else {
                break;
            };
            sessions.remove(&id);
        }
        sessions
    }
}

impl Session {
    fn new() -> Self {
        Self {
            began: Instant::now(),
            pending: Vec::new(),
            grant: None,
        }
    }
}

fn new_id() -> String {
    CsrfToken::new_random_len(32).into_secret()
}

const LIFETIME: Duration = Duration::from_hours(24);
const MAX_SESSIONS: usize = 1000;
const MAX_PENDING: usize = 5;
