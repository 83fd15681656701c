// The mesh profiles of the Gateway API's conformance suite, with every feature that a mesh may have.
package gateway

import (
	"os"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/util/sets"
	"sigs.k8s.io/gateway-api/conformance"
	report "sigs.k8s.io/gateway-api/conformance/apis/v1"
	"sigs.k8s.io/gateway-api/conformance/utils/suite"
	"sigs.k8s.io/gateway-api/pkg/features"
)

func TestMesh(t *testing.T) {
	options := conformance.DefaultOptions(t)
	options.ConformanceProfiles = []suite.ConformanceProfileName{
		suite.MeshHTTPConformanceProfileName,
		suite.MeshGRPCConformanceProfileName,
	}
	for _, set := range []sets.Set[features.Feature]{
		features.MeshCoreFeatures,
		features.MeshExtendedFeatures,
		features.HTTPRouteCoreFeatures,
		features.HTTPRouteExtendedFeatures,
		features.GRPCRouteCoreFeatures,
	} {
		for feature := range set {
			options.SupportedFeatures = append(options.SupportedFeatures, feature.Name)
		}
	}
	options.NamespaceAnnotations = map[string]string{
		"mesh.firedrill.dev/inject":            "enabled",
		"mesh.firedrill.dev/proxy-cpu-request": "1m",
	}
	options.TimeoutConfig.MaxTimeToConsistency = 20 * time.Second
	options.CleanupBaseResources = false
	options.Implementation = report.Implementation{
		Organization: "firedrill",
		Project:      "firedrill",
		URL:          "https://firedrill.dev",
		Version:      os.Getenv("IMPLEMENTATION_VERSION"),
		Contact:      []string{"none"},
	}
	options.ReportOutputPath = os.Getenv("REPORT")
	conformance.RunConformanceWithOptions(t, options)
}
