//! Git's question for a user name or a password, which the same program answers under another name. It must not print a secret that
//! was not asked for.

/// The variable that turns the program into the answerer.
const BINARY_NAME: &str = "ARGOCD_BINARY_NAME";
/// Its value then.
const ASK_PASS: &str = "argocd-git-ask-pass";
/// The variable that says whose credentials are asked for.
const NONCE: &str = "ARGOCD_GIT_ASKPASS_NONCE";

/// Whether git has started this process to ask something.
pub(super) fn is_asked() -> bool {
    std::env::var_os(BINARY_NAME).is_some_and(|name| name == ASK_PASS)
}

/// Answers, or says why there is no answer. So far nothing here writes to Git, so nobody holds credentials that could be told.
pub(super) fn answer(questions: &[String]) -> anyhow::Result<()> {
    let [question] = questions else {
        anyhow::bail!("expected one argument, the question, and got {}", questions.len());
    };
    anyhow::ensure!(
        std::env::var_os(NONCE).is_some_and(|nonce| !nonce.is_empty()),
        "{NONCE} is not set: git has to be started by the program whose credentials it needs"
    );
    anyhow::ensure!(
        question.starts_with("Username") || question.starts_with("Password"),
        "unknown credential type: the question begins neither with Username nor with Password"
    );
    anyhow::bail!("this version of landfall does not write to Git and holds no credentials for it");
}
