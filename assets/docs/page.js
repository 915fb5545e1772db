"use strict";
SwaggerUIBundle({
	url: "/openapi.json",
	dom_id: "#viewer",
	deepLinking: true,
	docExpansion: "list",
	filter: true,
	defaultModelsExpandDepth: 0,
	validatorUrl: null,
});
