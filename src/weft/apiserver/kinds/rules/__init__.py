"""Rules that many kinds share: what names, addresses, selectors and quantities may be, in apimachinery's words."""
