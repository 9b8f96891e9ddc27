//! What can go wrong at an upstream.

/// A connector could not do what was asked. The text is for logs, never for a page.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectorError {
    /// The person is known but belongs to none of the groups that are let in.
    #[error("user {user_id:?} is not in any of the required groups [{}]", required.join(" "))]
    NotInRequiredGroups {
        /// The user's id at the upstream.
        user_id: String,
        /// The groups of which one is needed.
        required: Vec<String>,
    },
    /// The person or the upstream refused (RFC 6749 §4.1.2.1 `access_denied`).
    #[error("the upstream denied access: {0}")]
    Denied(String),
    /// What the upstream sent, or what was presented, is not acceptable.
    #[error("{0}")]
    Rejected(String),
    /// The upstream cannot be reached or answers with an error.
    #[error("{context}")]
    Upstream {
        /// What was being done.
        context: String,
        /// The cause.
        #[source]
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
    /// Too much of the same work is waiting already; the caller may try again later.
    #[error("too many password checks are waiting")]
    Busy,
    /// The connector's configuration is wrong.
    #[error("{0}")]
    Config(String),
}

impl ConnectorError {
    /// An [`Upstream`](Self::Upstream) that keeps its cause.
    pub fn upstream(
        context: impl Into<String>,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self::Upstream {
            context: context.into(),
            source: Some(source.into()),
        }
    }

    /// The same error, with what was being done put before its text. Kinds that callers branch on stay what they are.
    #[cfg(feature = "oidc")]
    pub(crate) fn within(self, doing: &str) -> Self {
        match self {
            Self::Rejected(reason) => Self::Rejected(format!("{doing}: {reason}")),
            Self::Upstream { context, source } => Self::Upstream {
                context: format!("{doing}: {context}"),
                source,
            },
            other => other,
        }
    }
}
