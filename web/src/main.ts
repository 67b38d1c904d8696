import { packInPage } from "./engine";

void packInPage();
