package config

import "muster/config/document"

func (f *File) audit(*document.Problems) {}
