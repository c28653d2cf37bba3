package simulator

import "strings"

func givenNames() []string {
	return strings.Fields(`Alex Amara Beatriz Carlos Dana Elif Farid Grace Hugo Ines Jamal Kaya Lena Mateo Nadia Omar
		Paula Quentin Rosa Samir Tessa Uma Viktor Wanda Xavier Yara Zane Bruno Clara Dmitri`)
}

func familyNames() []string {
	return strings.Fields(`Abbott Bauer Castillo Dubois Eriksen Fischer Garcia Haddad Ito Jensen Kowalski Lindgren Moreau
		Novak Okafor Petrov Quispe Rossi Silva Tanaka Underwood Vargas Weber Xu Yilmaz Zhang Brandt Costa Diaz Evans
		Ferrari Grant Hansen Ivanov Jones Klein Lopez Meyer Nguyen Olsen`)
}

func departments() []string {
	return []string{"Grid Operations", "Finance", "Research", "Field Service", "Legal", "Support"}
}

// A home is where a person lives; its telephone prefix lacks the last four digits.
type home struct{ street, city, state, zip, country, locale, phone string }

func homes() []home {
	return []home{
		{"Main Street", "Springfield", "IL", "62701", "US", "en_US", "+1217555"},
		{"Queen Street", "Toronto", "ON", "M5H 2N2", "CA", "en_CA", "+1416555"},
		{"Invalidenstraße", "Berlin", "BE", "10115", "DE", "de_DE", "+493012345"},
		{"Rue de Rivoli", "Paris", "IDF", "75001", "FR", "fr_FR", "+3319900"},
		{"Gran Vía", "Madrid", "MD", "28013", "ES", "es_ES", "+3491123"},
		{"MG Road", "Bengaluru", "KA", "560001", "IN", "en_IN", "+91802555"},
		{"千代田", "Tokyo", "13", "100-0001", "JP", "ja_JP", "+8135550"},
	}
}

// roles are those that one system knows.
func roles(vendor string) []Role {
	switch vendor {
	case "aveva":
		return []Role{{Name: "Account Member"}, {Name: "Account Administrator"}, {Name: "Data Steward"}, {Name: "Data Viewer"}}
	case "numium":
		return []Role{
			{Name: "TenantAdministrator", Display: "Grants full tenant administration capabilities.", Permissions: []string{"ManageUsers", "ManageRoles"}},
			{Name: "Reader", Display: "Reads everything.", Permissions: []string{"ViewReports"}},
			{Name: "Auditor", Display: "Reads the audit trail.", Permissions: []string{"ViewAudit", "ViewReports"}},
		}
	case "csp":
		return []Role{
			{Name: "org_owner", Display: "Organization Owner"},
			{Name: "org_member", Display: "Organization Member"},
			{Name: "billing_reader", Custom: true, Membership: "DIRECT"},
			{Name: "vmc-user:full", Service: "vmc", Display: "VMware Cloud", Membership: "DIRECT"},
			{Name: "vmc-user:read", Service: "vmc", Display: "VMware Cloud", Membership: "GROUP"},
			{Name: "catalog:viewer", Service: "catalog", Display: "Service Broker", Membership: "NESTED", Resource: "project-3"},
		}
	}
	return nil
}
