use alloy_sol_types::sol;

sol!(
    #[derive(Debug, PartialEq, Eq)]
    Attention,
    "artifacts/Attention.json"
);
