//! Asks the API server whose a token is, and whether that user may read something that is no resource; it must not know what
//! becomes of the answer.

use k8s_openapi::api::authentication::v1::{TokenReview, TokenReviewSpec, UserInfo};
use k8s_openapi::api::authorization::v1::{NonResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec};
use kube::Api;
use kube::api::PostParams;

use super::ApiServer;
use super::failure::Failure;
use super::status::in_time;

/// Who somebody is who shows a token, and what he may.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// The token is nobody's.
    Stranger,
    /// A user, who may not.
    Denied {
        /// The user's name.
        user: String,
    },
    /// Someone who may.
    Allowed,
}

impl ApiServer {
    /// Whether whoever has this token may get this path.
    pub async fn may_get(&self, token: &str, path: &str) -> Result<Standing, Failure> {
        let Some(user) = self.user(token).await? else {
            return Ok(Standing::Stranger);
        };
        let name = user.username.clone().unwrap_or_default();
        match self.lets_get(user, path).await? {
            true => Ok(Standing::Allowed),
            false => Ok(Standing::Denied { user: name }),
        }
    }

    /// Whose a token is.
    async fn user(&self, token: &str) -> Result<Option<UserInfo>, Failure> {
        let review = TokenReview {
            spec: TokenReviewSpec {
                token: token.to_owned(),
                // For whom a token is meant is the API server's to judge: it must be for itself.
                audiences: None,
            },
            ..TokenReview::default()
        };
        let api = Api::all(self.client.clone());
        let answered = in_time(api.create(&PostParams::default(), &review)).await?;
        let status = answered.status.unwrap_or_default();
        let user = status.user.filter(|_| status.authenticated == Some(true));
        Ok(user.filter(|user| user.username.as_ref().is_some_and(|name| !name.is_empty())))
    }

    async fn lets_get(&self, user: UserInfo, path: &str) -> Result<bool, Failure> {
        let review = SubjectAccessReview {
            spec: SubjectAccessReviewSpec {
                user: user.username,
                uid: user.uid,
                groups: user.groups,
                extra: user.extra,
                non_resource_attributes: Some(NonResourceAttributes {
                    path: Some(path.to_owned()),
                    verb: Some("get".to_owned()),
                }),
                resource_attributes: None,
            },
            ..SubjectAccessReview::default()
        };
        let api = Api::all(self.client.clone());
        let answered = in_time(api.create(&PostParams::default(), &review)).await?;
        let status = answered.status.unwrap_or_default();
        Ok(status.allowed && status.denied != Some(true))
    }
}
