"""Role-based access control: rules, their index, the authorizer, and the guard against escalation."""
