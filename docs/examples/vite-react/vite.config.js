import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

// Nothing here or in src/ knows of certificates: the browser has proved who it is before it asks for the page.
export default defineConfig({ plugins: [react()] });
