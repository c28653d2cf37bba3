package adapters

import "muster/config/document"

// Audit warns.
func (d *Definition) Audit(r *Resolved, warn *document.Problems) {}
