use alloy_sol_types::sol;

sol!(
    #[derive(Debug, PartialEq, Eq)]
    Dispute,
    "artifacts/Dispute.json"
);
