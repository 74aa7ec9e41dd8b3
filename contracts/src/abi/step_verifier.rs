use alloy_sol_types::sol;

sol!(
    #[derive(Debug, PartialEq, Eq)]
    StepVerifier,
    "artifacts/StepVerifier.json"
);
